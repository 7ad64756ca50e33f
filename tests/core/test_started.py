# Copyright spack-pyvarium developers. See the LICENSE files at the top level for details.
#
# SPDX-License-Identifier: (Apache-2.0 OR MIT)
import pytest

from pyvarium.setup_script import parse_script


@pytest.mark.parametrize(
    ("text", "scripts", "programs"),
    [
        ("subprocess.check_call(['cmake', '--build', x])", "", "cmake"),
        ("c = ['/usr/bin/cmake', x]\nself.spawn(c)", "", "cmake"),
        ("run(('cmake.exe', x))", "", "cmake"),
        ("os.system('cd build && cmake ..')", "", "cmake"),
        ("os.system(f'{x} && make -j {n}')", "", "make"),
        ("os.system('cmake -D %s' % x)", "", "cmake"),
        ("os.system('cmake {}'.format(x))", "", "cmake"),
        ("os.system('echo cmake')", "", ""),
        ("words = ['cmake', 'ninja']", "", ""),
        ("print('cmake')\nrun(x)", "", ""),
        ("cmake = shutil.which('cmake')", "", "cmake"),
        ("run(['cargo', 'build'])", "", "cargo"),
        ("Popen(['g++', x])", "", "make"),
        ("try:\n    run(['cmake'])\nexcept OSError:\n    pass", "", ""),
        ("try:\n    run(['cmake'])\nexcept OSError:\n    raise SystemExit", "", "cmake"),
        ("try:\n    run(['cmake'])\nexcept OSError:\n    sys.exit('no cmake')", "", "cmake"),
        ("try:\n    run(['cmake'])\nfinally:\n    x()", "", "cmake"),
        ("call([sys.executable, 'build.py'])", "build.py", ""),
        ("call([sys.executable, '-u', './a/build.py', 'x'])", "a/build.py", ""),
        ("call([sys.executable, os.path.join(HERE, 'a', 'build.py')])", "a/build.py", ""),
        ("call([sys.executable, str(HERE / 'a' / 'build.py')])", "a/build.py", ""),
        ("b = os.path.join(find(), 'build.py')\ncall(['python3', b])", "build.py", ""),
        ("call('python a/build.py x', shell=True)", "a/build.py", ""),
        ("runpy.run_path('build.py')", "build.py", ""),
        ("call([sys.executable, find()])", "", ""),
        ("call([sys.executable, '-m', 'build'])", "", ""),
        ("x = [sys.executable, 'build.py']", "", ""),
        ("b = b\ncall([sys.executable, b])", "", ""),
    ],
)
def test_what_is_started(text: str, scripts: str, programs: str) -> None:
    found = parse_script(text)
    assert (" ".join(found.starts), " ".join(found.programs)) == (scripts, programs)
