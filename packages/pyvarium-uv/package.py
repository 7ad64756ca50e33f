# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)

import re

from spack.package import *

#: What the wheels for a platform and a family of targets are tagged with.
TAGS = {
    "linux-x86_64": "manylinux_2_17_x86_64.manylinux2014_x86_64",
    "linux-aarch64": "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
    "linux-ppc64le": "manylinux_2_17_ppc64le.manylinux2014_ppc64le",
    "darwin-aarch64": "macosx_11_0_arm64",
    "darwin-x86_64": "macosx_10_12_x86_64",
}

#: The directory of each wheel on the package index, and its SHA-256.
WHEELS = {
    "0.13.8": {
        "linux-x86_64": (
            "c5/32/52ee34636aea1ab3f8baeeae1c3599461b8cddfb379862cc72ac61b8d91c",
            "e18a57b8b352eb7c8feb317b9f6f533c8f0ad9673fd6cf34bbe3cf1a9f6a8984",
        ),
        "linux-aarch64": (
            "9e/f0/d989ac5fcebf83f1c8c5d78974f27788e8364945969eb646f5d0db35d924",
            "0b3e8b1a4f5e405e31e2ff33de8af4744831e9f7338539671efbd8c3c94e791d",
        ),
        "linux-ppc64le": (
            "bd/1d/c03fbe2a700484e369556b1a198745f92f44734a47279f3fbce95fbdbbaa",
            "6999618363d03a0a085a9491db319e00b461dbda205db06ef1fd55dfcbf6472b",
        ),
        "darwin-aarch64": (
            "84/46/deb3a1eb3020575e41d1f9840c07185761d8d4c25cd6f58e813afb017476",
            "62b6943c7fd64fac6854f780bea6e0359e5a5bc3241f83ee357bb38276afac49",
        ),
        "darwin-x86_64": (
            "be/7a/fd8a719c0198f8f8341847fc33b377f25ac79f7c4a56dbce5ceb086f239c",
            "b7124ca1956ec2e476a1003ea5715a15f0266afaec37f4dc9c6972ba8183e6d1",
        ),
    },
    "0.12.24": {
        "linux-x86_64": (
            "89/f8/2ef356d9d066686c98854be9e3e41d0ba9d69f7b2495512b6394115fa40c",
            "e47005957dca320272ad68960b591b854b6bf0c3288368efb096d9ccd06b8404",
        ),
        "linux-aarch64": (
            "f8/68/ebea2e5af6bc85d974520fc24ee81b9247339de14289cee6f865de48fd3f",
            "94c9ed22c1b5d6861a72639e23c5707bb07a354b67ec0462e9a0169a9665b5fd",
        ),
        "linux-ppc64le": (
            "ad/2c/d8b519aa7dc265f3f8ca3498ed68bb3f0a132f735e9add3646273ca70d21",
            "a407f886b866a9b694ac717eb0f5c5ef5ca31919e3a61027e403088da893354c",
        ),
        "darwin-aarch64": (
            "d9/82/a77c9ebb95f55e9e6c7d98202f9697110b634fe650b07b5d9eb5a51bba0e",
            "7b3403f72dfda049295daf5c4c2da716138feecb0e9d5f22ad4b9734518c77dd",
        ),
        "darwin-x86_64": (
            "44/21/690d3097136c268fdd833d42f00afd63302a7ab9df610f2ac163b1780141",
            "48cc70ecf59eece47e28d37c5c5eb9bb093e16881b1cc03e4a202286765a2022",
        ),
    },
    "0.11.33": {
        "linux-x86_64": (
            "a3/cb/f0ccaba1bf9b0f778dc883e56f3bfb315e3d974ba36fb7432a067b459528",
            "9542178978b0b6f16a7ae99e55aca039f493a1edb373a15d7993eab80a28615a",
        ),
        "linux-aarch64": (
            "0c/c9/166e7ce2bdb754e5dcb991773f16b54dc1a2339ac78c2a36414cc69db93f",
            "36a98c68ba5c3bb59469414f54aaf00bd3134a647ca34509bc53d133ed8e0b5d",
        ),
        "linux-ppc64le": (
            "97/09/1891a906d55dc146e014aa60badc87e74e06c9589ff96505e08a45e033cc",
            "f4196584a7f7fbfef3dde1b1a0454c174399bd96071cdfb066c263a798a4524e",
        ),
        "darwin-aarch64": (
            "4d/e5/17a4e36299e9bd5e8101680be697c7832afac686d1fe8b28be28046c1d95",
            "8017991a398a55d177c33ecdb29beb33e7b53969921183e4681e3e5b278d73c2",
        ),
        "darwin-x86_64": (
            "30/99/559a61e7e891c3074b2cf2ae8481fc7bf2bae7de047e7c9683f3ba0e1b27",
            "94fb388a86cf6c2f2610b427f1bf0897bc0f2771a869da41433e17f7d21a1a41",
        ),
    },
    "0.10.12": {
        "linux-x86_64": (
            "8d/42/139e68d7d92bb90a33b5e269dbe474acb00b6c9797541032f859c5bf4c4d",
            "101481a1f48db6becf219914a591a588c0b3bfd05bef90768a5d04972bd6455e",
        ),
        "linux-aarch64": (
            "5d/07/a990708c5ba064b4eb1a289f1e9c484ebf5c1a0ea8cad049c86625f3b467",
            "a5afe619e8a861fe4d49df8e10d2c6963de0dac6b79350c4832bf3366c8496cf",
        ),
        "linux-ppc64le": (
            "8b/9a/dd58ef59e622a1651e181ec5b7d304ae482e591f28a864c474d09ea00aff",
            "be85acae8f31c68311505cd96202bad43165cbd7be110c59222f918677e93248",
        ),
        "darwin-aarch64": (
            "ce/db/c41ace81b8ef5d5952433df38e321c0b6e5f88ce210c508b14f84817963f",
            "551f799d53e397843b6cde7e3c61de716fb487da512a21a954b7d0cbc06967e0",
        ),
        "darwin-x86_64": (
            "5c/90/4fd10d7337a084847403cdbff288395a6a12adbaaac975943df4f46c2d31",
            "e0f0ef58f0ba6fbfaf5f91b67aad6852252c49b8f78015a2a5800cf74c7538d5",
        ),
    },
    "0.9.30": {
        "linux-x86_64": (
            "6a/57/12a67c569e69b71508ad669adad266221f0b1d374be88eaf60109f551354",
            "4366dd740ac9ad3ec50a58868a955b032493bb7d7e6ed368289e6ced8bbc70f3",
        ),
        "linux-aarch64": (
            "8b/3f/76b44e2a224f4c4a8816fc92686ef6d4c2656bc5fc9d4f673816162c994d",
            "93049ba3c41fa2cc38b467cb78ef61b2ddedca34b6be924a5481d7750c8111c6",
        ),
        "linux-ppc64le": (
            "1c/c6/d7e5559bfe1ab7a215a7ad49c58c8a5701728f2473f7f436ef00b4664e88",
            "180e8070b8c438b9a3fb3fde8a37b365f85c3c06e17090f555dc68fdebd73333",
        ),
        "darwin-aarch64": (
            "42/5f/3ccc9415ef62969ed01829572338ea7bdf4c5cf1ffb9edc1f8cb91b571f3",
            "777ecd117cf1d8d6bb07de8c9b7f6c5f3e802415b926cf059d3423699732eb8c",
        ),
        "darwin-x86_64": (
            "0f/fd/8070b5423a77d4058d14e48a970aa075762bbff4c812dda3bb3171543e44",
            "6ec38ae29aa83a37c6e50331707eac8ecc90cf2b356d60ea6382a94de14973be",
        ),
    },
    "0.8.24": {
        "linux-x86_64": (
            "15/91/0cb0e416a8b7cfdc7f15e39d700dc06a9689073206fee4c7bf8f1fd68331",
            "0a75005a146e81ed1bbb0b6e55db18c8ad1e7d714392cdb94a63fa7a3259ad4f",
        ),
        "linux-aarch64": (
            "5c/8f/3fce919d6794c6c3ecfc948d875ead078fc407346dd01dbbd5a64b46bf49",
            "8595ca23e4f0b8ea934a29f8080578cd197ada22931b358498e9445ddd2bac5c",
        ),
        "linux-ppc64le": (
            "f8/3c/cb3ba8ecbabf83b9fd0d0bf01053d78bf1e759ce462ed0956250e8523424",
            "f884f1336f141cab06a85cd24732fe4dc2a577a6c623be2a0209e0f6fba98aca",
        ),
        "darwin-aarch64": (
            "ea/00/08f4e93989129bb3378f20315dddcac6f8cf26a12bdd90443a340e7ecdb4",
            "a2bd708a545c1c21d7be8575f4cff00d0cff26be13fc81e3f7e54b8751fb90c0",
        ),
        "darwin-x86_64": (
            "17/d6/26702561b06650efe7eb36008e7a93e877cd51a9bb54141cc159113b37b1",
            "1cd064933beb3c7392a8dc88d903be809b70612c563e2d659a96d505cac1daf5",
        ),
    },
    "0.7.22": {
        "linux-x86_64": (
            "88/12/11dfd036bf776a775f6972a3f9ccfa95b4817ec7a21a427f233a5d1d904b",
            "560b00403b9cf82e2ae7d6d680c6d54c3f5c709b3b6357e092059c5d4b682baa",
        ),
        "linux-aarch64": (
            "d4/45/71eec20e6390e464885e0546037dcecf1f10afac884e701ce70cb990774f",
            "c366847fc6260c3fa101be0a99ed1ac8613537ea3ec4fa6e4aac5d1a173945ec",
        ),
        "linux-ppc64le": (
            "30/5f/310f4d21dc10577cc4aff3dc12f21f7108840c2025be479551143a158b98",
            "e3178dd8b118d61ffbf59297417ee0a5136b3fe34bca76105ce78a2854d9e6a2",
        ),
        "darwin-aarch64": (
            "64/f5/0ee734f5e988fd8f26aad1f150703fe8c7d664029c9c677b989b69caf104",
            "573edda226dc26e6fea03aa89a45af2f2a367ad1f466af15c4eb54286dae042f",
        ),
        "darwin-x86_64": (
            "46/31/163f836537bb3c41b7f7687e539096cc251dd7ebc7afb492cc8ef77a7243",
            "bc2d9d49b8bc83ef2a0cbfd39926e2112059b9ddddb7e3baa31726cce33c707b",
        ),
    },
    "0.6.17": {
        "linux-x86_64": (
            "d4/6b/1bea7cff3104890b33c73155c811e48129eed8272e6f4ba848a116994fa4",
            "aa416f287c81bfffd21e82765944035e6c3f4566615bd4fc03db3a704be8e4d5",
        ),
        "linux-aarch64": (
            "6e/5b/ea18e6dbca255eddbc5c8886fe3a6ee2902cff5fdba6aadf2acc7db700d2",
            "fc95d87cbc20cbafb45f2a86b4e1bceddb048a825cc6fd2ca4bf7c3c34fc70c9",
        ),
        "linux-ppc64le": (
            "11/9c/4f2c441366adaaa59ee1c1d6f3416bcdc1666e065e0faf56203cc7d19583",
            "d234bdf77ad466cf8a1dd432431b55e4ea070fc737fffa6ff7315c7678e50387",
        ),
        "darwin-aarch64": (
            "a5/4f/66c7153120c155446f319647c1bafec2d9288f2b48d769cd9f9da39aa1f2",
            "ce243bec19c47cc274e7e9eedbaeeb3dacbe94430b0f085dd506ba15a41676ee",
        ),
        "darwin-x86_64": (
            "ed/a2/87a989c57f92d60bc3d5751ac1dc2ce16cef2a73e2abfa9c4e50d4cdb7f7",
            "094026a024818b0c1d2c5794c9b5c20f6b97c74335e7ae088ac121afbae1fd7e",
        ),
    },
}


def declare_wheels():
    """A version has one archive for all targets, the source; beside it are these resources."""
    for release, wheels in WHEELS.items():
        for machine, (directory, sha256) in wheels.items():
            platform, family = machine.split("-")
            name = f"uv-{release}-py3-none-{TAGS[machine]}.whl"
            resource(
                name=name,
                url=f"https://files.pythonhosted.org/packages/{directory}/{name}",
                sha256=sha256,
                expand=False,
                placement="wheel",
                when=f"@{release} platform={platform} target={family}:",
            )


class PyvariumUv(PythonPackage):
    """A package and project manager for Python, written in Rust.

    What is installed is the wheel of its authors: to compile it takes a Rust that is newer than
    that of builtin, and long.
    """

    homepage = "https://docs.astral.sh/uv/"
    pypi = "uv/uv-0.13.8.tar.gz"

    executables = ["^uv$"]

    license("Apache-2.0 OR MIT")

    version("0.13.8", sha256="55c0b405e75dea1d1c53efc9a8e0725f4031be0e219ec2a08b15d78ece9a616a")
    version("0.12.24", sha256="61f0c63c2e750ee5a1a3accc2a9bdc6f30614f5ed267f363ac23f9873626593e")
    version("0.11.33", sha256="a4411bf854f5fe3d4b78d37dd2e4b84e0b99fbb0bd185de1511a8515404e04a8")
    version("0.10.12", sha256="fa722691c7ae5c023778ad0b040ab8619367bcfe44fd0d9e05a58751af86cdf8")
    version("0.9.30", sha256="03ebd4b22769e0a8d825fa09d038e31cbab5d3d48edf755971cb0cec7920ab95")
    version("0.8.24", sha256="34349d22278fff4b5fb37d58fd4fb8c10d75dc7a0cbec80a8cb34bfbf7cb00d5")
    version("0.7.22", sha256="f5cf159907d594e33433f14737d1ee843dc8799edfcf57b5b8c0f282d1117051")
    version("0.6.17", sha256="cbd40a6f8bdf7a96145af01dcf54252c0c9ddf749f21bfa5b7510fe7bc6d7880")

    declare_wheels()

    requires(
        "platform=linux target=x86_64:",
        "platform=linux target=aarch64:",
        "platform=linux target=ppc64le:",
        "platform=darwin target=x86_64:",
        "platform=darwin target=aarch64:",
        policy="any_of",
        msg="pyvarium-uv installs wheels, and names none for this platform and target",
    )

    depends_on("python@3.8:", type=("build", "run"))

    @classmethod
    def determine_version(cls, exe):
        found = re.match(r"uv (\S+)", Executable(exe)("--version", output=str, error=str))
        return found and found.group(1)

    def install(self, spec, prefix):
        [wheel] = find(join_path(self.stage.source_path, "wheel"), "*.whl")
        options = ("--no-deps", "--no-index", "--ignore-installed", "--no-warn-script-location")
        python("-m", "pip", "--no-input", "install", *options, f"--prefix={prefix}", wheel)
