"""Write the catalogue as files: `python -I -m berth.hub.releases --index FILE --output DIR`."""

import sys

from berth.hub.releases.export import main

if __name__ == "__main__":
    sys.exit(main())
