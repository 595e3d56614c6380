from __future__ import annotations

import sys

import numpy as np
import pytest

from bincam.data.containers.dicom import DicomImage, Window, pixels
from bincam.data.images import decode
from bincam.data.readers.medical.dicom import dicom
from bincam.errors import BincamError, InputError

pydicom = pytest.importorskip("pydicom")

VALUES = np.array([[0, 500, 1000], [1039, 1040, 4095]], np.uint16)


def write(file, kind="MONOCHROME2", values=VALUES, **tags):
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    content = pydicom.Dataset()
    content.file_meta = FileMetaDataset()
    content.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    content.file_meta.MediaStorageSOPClassUID = content.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    content.file_meta.MediaStorageSOPInstanceUID = content.SOPInstanceUID = generate_uid()
    content.PhotometricInterpretation = kind
    content.Rows, content.Columns = values.shape
    content.SamplesPerPixel, content.PixelRepresentation = 1, 0
    content.BitsAllocated, content.BitsStored, content.HighBit = 16, 12, 11
    for tag, value in tags.items():
        setattr(content, tag, value)
    content.PixelData = values.astype("<u2").tobytes()
    content.save_as(file, enforce_file_format=True)
    return file


@pytest.fixture
def labelled(tmp_path):
    write(tmp_path / "a.dcm", PatientID="p1", PatientSex="F", ViewPosition="PA", WindowCenter=1040, WindowWidth=401)
    write(tmp_path / "b.dcm", "MONOCHROME1", PatientID="p1", PatientSex="F", ViewPosition="AP")
    (tmp_path / "labels.csv").write_text("image,Effusion\na.dcm,1\nb.dcm,0\n")
    return tmp_path / "labels.csv"


def test_people_views_and_windows_are_read(labelled):
    table = dicom(labelled, window="0..4095")
    assert table.reading == {"format": "dicom", "window": "0..4095"}
    assert table.ids == ("a.dcm#0..4095", "b.dcm#0..4095")
    assert table.identities.tolist() == ["p1", "p1"]
    assert {name: values.tolist() for name, values in table.groups.items()} == {"sex": ["F", "F"], "view": ["PA", "AP"]}
    assert table.meaning[-1] == "pixels: window 0..4095, 1 of 2 images inverted (MONOCHROME1)"
    assert table.labels.tolist() == [[1], [0]]


def test_a_low_value_is_bright_in_monochrome_1(labelled):
    shown = pixels(labelled.parent / "a.dcm", Window.of("0..4095"))
    np.testing.assert_array_equal(shown, np.rint(VALUES / 4095 * 255))
    np.testing.assert_array_equal(pixels(labelled.parent / "b.dcm", Window.of("0..4095")), 255 - shown)


def test_pydicom_makes_the_same_of_a_window(tmp_path):
    from pydicom.pixels import apply_modality_lut, apply_windowing

    file = write(tmp_path / "c.dcm", WindowCenter=40, WindowWidth=401, RescaleSlope=1, RescaleIntercept=-1024)
    content = pydicom.dcmread(file)
    units = apply_modality_lut(content.pixel_array, content)
    theirs = apply_windowing(units, content)  # over the range of the units
    low, high = -1024, 4095 - 1024
    expected = np.rint((theirs - low) / (high - low) * 255)
    for text in ("file", "40,401"):
        np.testing.assert_allclose(pixels(file, Window.of(text)), expected, atol=1)
    assert pixels(file, Window.of("-160.5..239.5")).tolist() == pixels(file, Window.of("file")).tolist()


def test_an_address_is_an_image_wherever_one_is_read(labelled):
    import cv2

    table = dicom(labelled, window="0..4095")
    np.testing.assert_array_equal(
        decode(table.path(1))[..., 0], pixels(labelled.parent / "b.dcm", Window.of("0..4095"))
    )
    with pytest.raises(InputError, match=r"window 'bright': expected CENTRE,WIDTH"):
        decode(labelled.parent / "b.dcm#bright")
    image = DicomImage(labelled.parent / "b.dcm")
    read = cv2.imdecode(np.frombuffer(image.read("0..4095"), np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(read, pixels(labelled.parent / "b.dcm", Window.of("0..4095")))
    assert "0..4095" in image
    assert "bright" not in image


@pytest.mark.parametrize(
    ("kind", "tags", "window", "message"),
    [
        ("MONOCHROME2", {}, "file", r"c\.dcm: states no window; give one"),
        ("MONOCHROME2", {"WindowCenter": [40, 600], "WindowWidth": [400, 1500]}, "file", "states 2 windows"),
        ("MONOCHROME2", {"WindowCenter": 40, "WindowWidth": 1}, "file", "a window is wider than 1"),
        ("PALETTE COLOR", {}, "0..9", "photometric interpretation 'PALETTE COLOR'"),
        ("MONOCHROME2", {"NumberOfFrames": 2}, "0..9", "2 frames; write each"),
        ("MONOCHROME2", {"Rows": 9}, "0..9", "pixels cannot be read"),
    ],
)
def test_what_is_not_stated_is_refused(tmp_path, kind, tags, window, message):
    file = write(tmp_path / "c.dcm", kind)
    content = pydicom.dcmread(file)
    for tag, value in tags.items():
        setattr(content, tag, value)
    content.save_as(file)
    with pytest.raises(InputError, match=message):
        pixels(file, Window.of(window))


def test_windows_and_files_that_are_none_are_refused(labelled, monkeypatch):
    for text in ("9..0", "40", "auto", "40,1"):
        with pytest.raises(InputError, match="window"):
            dicom(labelled, window=text)
    (labelled.parent / "a.dcm").write_bytes(b"no dicom")
    with pytest.raises(InputError, match=r"a\.dcm: not a readable DICOM file"):
        dicom(labelled, window="0..4095")
    (labelled.parent / "a.dcm").unlink()
    with pytest.raises(InputError, match=r"a\.dcm: no such file"):
        dicom(labelled, window="0..4095")
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(BincamError, match=r"pip install 'bincam\[dicom\]'"):
        dicom(labelled, window="0..4095")
