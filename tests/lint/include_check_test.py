#!/usr/bin/python3
"""The include check finds what it is there to find."""
import sys
import unittest

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from include_check import check_line


class IncludeCheck(unittest.TestCase):
    def test_allowed(self):
        for path, line in [
            ("runtime/exec/a.cc", '#include "kernels/kernels.h"'),
            ("formats/image/a.cc", '#include "runtime/include/fovea/status.h"'),
            ("kernels/conv/direct.cc", "#include <hwy/highway.h>"),
            ("tools/fovea/run.cc", '#include "formats/image/image.h"'),
            ("tests/a.cc", '#include "runtime/plan/plan.h"'),
            ("runtime/include/fovea/a.h", "#include <vector>"),
        ]:
            self.assertIsNone(check_line(path, line), (path, line))

    def test_forbidden(self):
        for path, line in [
            ("kernels/a.cc", '#include "runtime/model/ops.h"'),
            ("runtime/a.cc", '#include "formats/image/image.h"'),
            ("runtime/exec/a.cc", "#include <flatbuffers/flatbuffers.h>"),
            ("formats/a.cc", '#include "runtime/model/graph.h"'),
            ("converter/a.cc", '#include "runtime/plan/plan.h"'),
            ("tools/a.cc", '#include "runtime/model/graph.h"'),
            ("tools/a.cc", '#include "tests/support/x.h"'),
            ("runtime/a.cc", "#include <hwy/highway.h>"),
            ("kernels/conv/conv.h", "#include <hwy/highway.h>"),
        ]:
            self.assertIsNotNone(check_line(path, line), (path, line))


if __name__ == "__main__":
    unittest.main()
