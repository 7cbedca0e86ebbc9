"""Each repair of drizzling is still needed, and works."""

import json
import stat
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from drizzlepac import hapmultisequencer, imageObject
from drizzlepac.haputils import config_utils, product
from hypothesis import given
from hypothesis import strategies as st
from stsci.tools.bitmask import interpret_bit_flags

from hstmosaic.store.pixel_repair import FILLED_FLAG
from hstmosaic.tasks.upstream import drizzling
from hstmosaic.tasks.working_copy import FILLED_KEYWORD

pytestmark = pytest.mark.upstream


ALL_FLAGS = 65535


@pytest.fixture(scope="module")
def exposure(simulated):
    return simulated.demo(300).paths[0]


def test_copies_of_read_only_exposures_are_read_only_upstream(exposure, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(product, "shutil", product.shutil)
    original = tmp_path / exposure.name
    original.write_bytes(exposure.read_bytes())
    original.chmod(0o444)
    member = object.__new__(product.SkyCellExposure)
    member.product_basename = "before"
    try:
        name = member.copy_exposure(original.name)
    except PermissionError:
        name = "before_flc.fits"
    assert not (tmp_path / name).stat().st_mode & stat.S_IWUSR, "copies are writable now: drop copy_without_mode"
    drizzling.copy_without_mode()
    member.product_basename = "after"
    name = member.copy_exposure(original.name)
    assert (tmp_path / name).stat().st_mode & stat.S_IWUSR
    assert fits.getval(name, "HAPLEVEL") == 1


def parameter_sets():
    """Return the DQ flags that are accepted, by parameter set of drizzlepac: for skies, and for mosaics."""
    folder = Path(hapmultisequencer.__file__).parent / "pars" / "hap_pars" / "mvm_parameters"
    for path in [*folder.glob("acs/*/*_astrodrizzle_*_n?.json"), *folder.glob("wfc3/*/*_astrodrizzle_*_n?.json")]:
        parameters = json.loads(path.read_text())
        sky, final = parameters["STEP 2: SKY SUBTRACTION"], parameters["STEP 7: DRIZZLE FINAL COMBINED IMAGE"]
        yield path.stem, interpret_bit_flags(sky["sky_bits"]), interpret_bit_flags(final["final_bits"])


def test_the_flag_of_filled_pixels_is_accepted_only_with_all_others():
    sets = list(parameter_sets())
    assert len(sets) > 8
    for name, sky_bits, final_bits in sets:
        assert not sky_bits & FILLED_FLAG, name
        assert not final_bits & FILLED_FLAG or (final_bits == ALL_FLAGS and name.endswith("n1")), name


@pytest.fixture
def mask_of(monkeypatch):
    """Return a function that builds the mask of a chip with DQ of 0, 4, 2 and 6."""
    monkeypatch.setattr(imageObject.baseImageObject, "buildMask", imageObject.baseImageObject.buildMask)
    flags = np.array([[0, 4, FILLED_FLAG, 4 | FILLED_FLAG]], "i2")

    def build(bits, header):
        image = imageObject.baseImageObject("icab01a0q_flc.fits")
        image._image = {("DQ", 1): SimpleNamespace(header=header)}
        image.getData = lambda exten: {"DQ,1": flags}[exten]
        return image.buildMask(1, bits).tolist()

    return build


def test_filled_pixels_count_where_all_flags_are_accepted_upstream(mask_of):
    assert mask_of(ALL_FLAGS, {FILLED_KEYWORD: 2}) == [[1, 1, 1, 1]]


def test_filled_pixels_of_working_copies_never_count(mask_of):
    drizzling.reject_filled_pixels(FILLED_KEYWORD, FILLED_FLAG)
    assert mask_of(ALL_FLAGS, {FILLED_KEYWORD: 2}) == [[1, 1, 0, 0]]
    assert mask_of(4, {FILLED_KEYWORD: 2}) == [[1, 1, 0, 0]]
    assert mask_of(ALL_FLAGS, {}) == [[1, 1, 1, 1]]


def product_names(prefix):
    layer = SimpleNamespace(
        exposure_name="skycell-p1889x10y10",
        drizzle_filename="hst_skycell-p1889x10y10_wfc3_ir_f160w_all_drz.fits",
        manifest_name="m",
        refname="r",
        trl_filename="t",
        trl_logname="l",
        edp_list=[],
    )
    return hapmultisequencer.rename_output_products(layer, output_file_prefix=prefix).drizzle_filename


def test_prefix_with_a_final_underscore_is_cut_upstream():
    assert product_names("foo_") == "fo_wfc3_ir_f160w_all_drz.fits"


@pytest.mark.parametrize("prefix", ["foo", "foo_", "foo__", "a", "hst-skycell-p1889-ra180d0000-decn26d0000"])
def test_prefix_is_taken_as_it_is(prefix):
    assert product_names(drizzling.exact_prefix(prefix)) == f"{prefix}_wfc3_ir_f160w_all_drz.fits"


def test_common_grid_is_painted_once(exposure, tmp_path, monkeypatch):
    monkeypatch.chdir(exposure.parent)
    monkeypatch.setattr(product.SkyCellProduct, "generate_metawcs", product.SkyCellProduct.generate_metawcs)
    painted = []
    build = product.cell_utils.SkyFootprint.build
    monkeypatch.setattr(
        product.cell_utils.SkyFootprint, "build", lambda self, *a, **k: painted.append(1) or build(self, *a, **k)
    )
    layer = product.SkyCellProduct(
        "0", "0", "wfc3", "uvis", "", "skycell-p1889x10y10", ("f606w", "fine", "all"), "drc", 30
    )
    layer.add_all_mvm_exposures_list([exposure.name])
    limits = [213000, 217000, 213000, 217000]
    theirs = [layer.generate_metawcs(custom_limits=limits) for _ in range(2)]
    assert len(painted) == 2, "drizzlepac remembers the common grid now: drop compute_footprints_once"
    drizzling.compute_footprints_once()
    ours = [layer.generate_metawcs(custom_limits=limits) for _ in range(2)]
    assert len(painted) == 3
    for wcs in (*theirs, *ours):
        assert wcs.wcs.compare(theirs[0].wcs)
        assert wcs.pixel_shape == theirs[0].pixel_shape


@pytest.fixture
def sbc_parameters(monkeypatch):
    """Return a function for drizzlepac's AstroDrizzle parameters of a layer of ACS/SBC."""
    monkeypatch.setattr(config_utils, "read_index", config_utils.read_index)
    monkeypatch.setattr(config_utils.HapConfig, "_update_ci_values_from_file", lambda *_, **__: 0)

    def parameters(exposures, filter_name):
        layer = SimpleNamespace(instrument="acs", detector="sbc", skycell=None, mask_kws={"MEANNEXP": [exposures]})
        layer.edp_list = [SimpleNamespace(filters=filter_name)]
        return config_utils.HapConfig(layer, hap_pipeline_name="mvm").pars["astrodrizzle"].outpars

    return parameters


def test_upstream_rejects_cosmic_rays_in_a_detector_that_sees_none(sbc_parameters):
    parameters = sbc_parameters(3, "f150lp")
    assert parameters["driz_cr"], "drizzlepac finds the parameters now: drop find_sbc_parameters"
    assert not sbc_parameters(3, "f115lp")["driz_cr"]


@pytest.mark.parametrize("filter_name", ["f125lp", "f140lp", "f150lp", "f165lp"])
def test_layers_of_acs_sbc_get_their_parameters(sbc_parameters, filter_name):
    drizzling.find_sbc_parameters()
    parameters = sbc_parameters(3, filter_name)
    assert not parameters["driz_cr"]
    assert not parameters["skysub"]
    assert parameters["final_fillval"] is None


def test_parameters_of_other_cameras_stay(monkeypatch):
    before = config_utils.read_index("wfc3", "ir", "mvm")
    monkeypatch.setattr(config_utils, "read_index", config_utils.read_index)
    drizzling.find_sbc_parameters()
    assert config_utils.read_index("wfc3", "ir", "mvm") == before


@given(seed=st.integers(0, 1000), kind=st.sampled_from(["u1", "i2", "bool", "f4", "f8"]), time=st.floats(1e-3, 1e5))
def test_masks_have_the_weights_of_the_original(seed, kind, time):
    mask = np.random.default_rng(seed).integers(0, 3, (4, 7)).astype(kind)
    for given_time in (time, np.float64(time), int(time) % 50 + 1):
        image = SimpleNamespace(scienceExt="SCI", _image={("SCI", 1): SimpleNamespace(_exptime=given_time)})
        expected = imageObject.baseImageObject.buildEXPmask(image, 1, mask)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(imageObject.baseImageObject, "buildEXPmask", imageObject.baseImageObject.buildEXPmask)
            drizzling.weigh_by_time_fast()
            found = imageObject.baseImageObject.buildEXPmask(image, 1, mask)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
