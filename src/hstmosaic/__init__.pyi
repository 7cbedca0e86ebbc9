from hstmosaic.errors import HstMosaicError as HstMosaicError
from hstmosaic.plan.build import make_plan as make_plan
from hstmosaic.plan.plan import Plan as Plan
from hstmosaic.run.driver import run_mosaic as run_mosaic
from hstmosaic.run.options import RunOptions as RunOptions
from hstmosaic.run.outcome import Outcome as Outcome

__version__: str
