"""What every client sends, and where."""

import os
import time

URL, KEY, SERVICE = os.environ["URL"], os.environ["KEY"], os.environ["SERVICE"]
LEVELS = ["info", "warning", "error"]
START = time.time() - 60

RECORDS = [(f'order {n} was "paid" for 5 €', LEVELS[n % 3], START + n / 1000, n) for n in range(int(os.environ["COUNT"]))]
