#!/usr/bin/python3
"""Adds up GoogleTest's XML reports: prints the skipped cases and one closing line. Exits 1 when a case failed or none ran."""
import glob
import sys
import xml.etree.ElementTree as ET


def main():
    passed, failed, skipped = 0, 0, []
    for path in sorted(glob.glob(sys.argv[1] + "/*.xml")):
        for case in ET.parse(path).getroot().iter("testcase"):
            name = f"{case.get('classname')}.{case.get('name')}"
            if case.find("failure") is not None:
                failed += 1
                print("failed:", name)
            elif case.get("result") == "skipped" or case.find("skipped") is not None:
                skipped.append(name)
            elif case.get("status") == "run":
                passed += 1
    for name in skipped:
        print("SKIP", name)
    print(f"{passed} passed, {failed} failed, {len(skipped)} skipped")
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
