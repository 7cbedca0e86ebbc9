"""The repair of labels of fits is still needed, and works."""

from types import SimpleNamespace

import pytest
from drizzlepac import hapmultisequencer, updatehdr

from hstmosaic.tasks.upstream import fitting

pytestmark = pytest.mark.upstream


def test_the_joint_fit_lacks_an_argument():
    exposure = SimpleNamespace(info="hst_skycell-p1_wfc3_uvis_f606w_all-x_x_flc.fits_flc")
    total = SimpleNamespace(edp_list=[exposure], configobj_pars=None)
    with pytest.raises(TypeError, match="log_level"):
        hapmultisequencer.run_align_to_gaia([total])


def test_multivisit_fits_have_no_description(monkeypatch):
    name = "IDC_2731450pi-FIT_MVM_GAIAeDR3"
    with pytest.raises(KeyError, match="MVM"):
        updatehdr.interpret_wcsname_type(name)
    monkeypatch.setattr(updatehdr, "interpret_wcsname_type", updatehdr.interpret_wcsname_type)
    by_visit = updatehdr.interpret_wcsname_type(name.replace("MVM", "SVM"))
    fitting.name_multivisit_fits()
    described = updatehdr.interpret_wcsname_type(name)
    assert described == "undistorted a posteriori solution aligned across visits to GAIAEDR3"
    assert updatehdr.interpret_wcsname_type(name.replace("MVM", "SVM")) == by_visit
    for other in (None, "IDC_2731450pi", "IDC_2731450pi-GSC240", "MINE"):
        assert updatehdr.interpret_wcsname_type(other)
