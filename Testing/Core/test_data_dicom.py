"""DICOM series with segmentation objects (SEG) as training data, written here with pydicom."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from data_samples import a_volume
from made_up_packs import write_pack
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import pack_bits
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, SegmentationStorage, generate_uid

from KPrismCore.errors import GeometryError, InputFileError, TrainingDataError
from KPrismCore.training.datasets.dicom_layout import DicomCase, _case, _headers
from KPrismCore.training.datasets.dicom_seg import dicom_segment_layers
from KPrismCore.training.datasets.opening import find_sets, open_data
from KPrismCore.training.datasets.tree import Tree
from KPrismCore.volumes import read_volume

ARRAY, MASK = a_volume(3, (6, 32, 40))
# two of a patient's scans, seen from above: rows run to the left, columns to the back
ORIENTATION = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]


def blank(kind: str, modality: str, patient: str = "P1") -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = kind
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.Modality, dataset.PatientID = modality, patient
    dataset.StudyInstanceUID, dataset.Rows, dataset.Columns = "1.2.3", *ARRAY.shape[1:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    return dataset


def item(**values: object) -> Sequence:
    dataset = Dataset()
    for name, value in values.items():
        setattr(dataset, name, value)
    return Sequence([dataset])


def code(value: str, meaning: str) -> Sequence:
    return item(CodeValue=value, CodingSchemeDesignator="SCT", CodeMeaning=meaning)


def write_series(folder: Path, patient: str = "P1") -> Path:
    folder.mkdir(parents=True)
    for k, plane in enumerate(ARRAY):
        dataset = blank(CTImageStorage, "CT", patient)
        dataset.SeriesInstanceUID, dataset.InstanceNumber = "1.2.3.4", k + 1
        dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [5.0, 7.0, 4.0 * k], ORIENTATION
        dataset.PixelSpacing, dataset.SliceThickness = [1.0, 0.5], 4.0
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
        dataset.PixelRepresentation, dataset.RescaleSlope, dataset.RescaleIntercept = 1, 1, 0
        dataset.PixelData = plane.tobytes()
        dataset.save_as(folder / f"{k:02d}.dcm", enforce_file_format=True)
    return folder


def write_seg(path: Path, patient: str = "P1", *, flipped: bool = False, spacing: float = 0.5) -> Path:
    """A SEG with one frame per marked slice and segment, last slice first; `flipped` mirrors its columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset = blank(SegmentationStorage, "SEG", patient)
    dataset.SeriesInstanceUID = "1.2.3.9"
    dataset.SegmentationType, dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = "BINARY", 1, 1, 0
    dataset.PixelRepresentation = 0
    dataset.SegmentSequence = Sequence()
    frames, groups = [], []
    orientation = [-1.0, 0.0, 0.0, *ORIENTATION[3:]] if flipped else ORIENTATION
    for number, name in ((1, "Liver"), (2, "Tumour")):
        dataset.SegmentSequence += item(
            SegmentNumber=number, SegmentLabel=name,
            SegmentedPropertyCategoryCodeSequence=code("123037004", "Anatomical Structure"),
            SegmentedPropertyTypeCodeSequence=code("10200004", "Liver"),
        )  # fmt: skip
        for k in reversed(np.nonzero((number == MASK).any((1, 2)))[0]):
            plane = (MASK[k] == number).astype(np.uint8)
            frames.append(plane[:, ::-1] if flipped else plane)
            start = 5.0 + (0.5 * (ARRAY.shape[2] - 1) if flipped else 0.0)
            group = Dataset()
            group.PlanePositionSequence = item(ImagePositionPatient=[start, 7.0, 4.0 * float(k)])
            group.SegmentIdentificationSequence = item(ReferencedSegmentNumber=number)
            groups.append(group)
    shared = Dataset()
    shared.PlaneOrientationSequence = item(ImageOrientationPatient=orientation)
    shared.PixelMeasuresSequence = item(PixelSpacing=[1.0, spacing], SliceThickness=4.0)
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    dataset.PerFrameFunctionalGroupsSequence = Sequence(groups)
    dataset.NumberOfFrames = len(frames)
    dataset.PixelData = pack_bits(np.stack(frames).ravel())
    dataset.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("flipped", [False, True])
def test_segments_lie_on_their_series(tmp_path, flipped):
    series = write_series(tmp_path / "ct")
    (content,) = DicomCase("a", "a", series, write_seg(tmp_path / "seg.dcm", flipped=flipped)).read()
    (layer,) = content.layers
    assert [label.name for label in layer.labels] == ["Liver", "Tumour"]
    # the volume's rows may be stored either way; the bright block tells where the liver is
    assert set(np.unique(content.volume.array[layer.array == 1])) == {80}
    assert (layer.array > 0).sum() == (MASK > 0).sum()


def test_a_folder_with_a_series_and_its_seg_is_a_set(tmp_path):
    write_series(tmp_path / "case")
    write_seg(tmp_path / "case" / "seg.dcm")
    (image_set,) = open_data(tmp_path / "case", 64)
    assert (image_set.modality, sorted(image_set.labels.values())) == ("CT", ["Liver", "Tumour"])
    assert len(image_set.samples) == 4


def test_cases_in_folders_belong_to_their_patients(tmp_path):
    for number, patient in enumerate(("anna", "anna", "otto")):
        write_series(tmp_path / f"case{number}" / "ct", patient)
        write_seg(tmp_path / f"case{number}" / "seg" / "1.dcm", patient)
    (image_set,) = open_data(tmp_path, 64)
    subjects = {sample.subject for sample in image_set.samples}
    assert len(subjects) == 2
    assert not subjects & {"anna", "otto"}


def test_a_seg_belongs_to_the_series_that_it_names(tmp_path):
    for name, uid in (("a", "1.2.3.4"), ("b", "1.2.3.5")):
        with_series(write_series(tmp_path / "case" / name), uid)
    path = write_seg(tmp_path / "case" / "seg.dcm")
    dataset = pydicom.dcmread(path)
    dataset.ReferencedSeriesSequence = item(SeriesInstanceUID="1.2.3.5")
    dataset.save_as(path)
    headers = list(_headers(Tree.of(tmp_path / "case")))
    (segmentation,) = (header for header in headers if header.modality == "SEG")
    assert _case(Tree.of(tmp_path / "case"), segmentation, headers).series.name == "b"


def test_a_seg_beside_two_series_belongs_to_the_one_that_it_names(tmp_path):
    write_series(tmp_path / "case")
    with_series(write_series(tmp_path / "other"), "1.2.3.5")
    for path in (tmp_path / "other").iterdir():
        dataset = pydicom.dcmread(path)
        dataset.PixelData = np.full_like(ARRAY[0], -1000).tobytes()
        dataset.save_as(tmp_path / "case" / f"other{path.name}")
    path = write_seg(tmp_path / "case" / "seg.dcm")
    dataset = pydicom.dcmread(path)
    dataset.ReferencedSeriesSequence = item(SeriesInstanceUID="1.2.3.4")
    dataset.save_as(path)
    (found,) = find_sets(tmp_path / "case").sets.values()
    ((content,),) = (case.read() for case in found._files.cases)
    assert set(np.unique(content.volume.array[content.layers[0].array == 1])) == {80}


def test_a_seg_beside_two_series_that_names_none_is_told_what_to_do(tmp_path):
    write_series(tmp_path / "case")
    for path in with_series(write_series(tmp_path / "other"), "1.2.3.5").iterdir():
        path.rename(tmp_path / "case" / f"other{path.name}")
    write_seg(tmp_path / "case" / "seg.dcm")
    with pytest.raises(TrainingDataError, match=r"names none of the series.*folder of its own"):
        open_data(tmp_path / "case", 64)


def with_series(folder: Path, uid: str) -> Path:
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.SeriesInstanceUID = uid
        dataset.save_as(path)
    return folder


def test_a_gap_in_a_series_names_its_folder(tmp_path):
    series = write_series(tmp_path / "anna")
    sorted(series.iterdir())[1].unlink()
    with pytest.raises(GeometryError, match="anna: Slices are missing"):
        DicomCase("a", "a", series, write_seg(tmp_path / "seg.dcm")).read()


def test_a_seg_of_other_pixels_is_refused(tmp_path):
    volume = read_volume(write_series(tmp_path / "ct"))
    with pytest.raises(GeometryError, match="other pixels"):
        dicom_segment_layers(write_seg(tmp_path / "seg.dcm", spacing=0.7), volume)


def test_a_seg_of_thinner_slices_is_refused(tmp_path):
    series, path = write_series(tmp_path / "ct"), write_seg(tmp_path / "seg.dcm")
    dataset = pydicom.dcmread(path)
    for group in dataset.PerFrameFunctionalGroupsSequence:
        place = group.PlanePositionSequence[0]
        place.ImagePositionPatient = [*place.ImagePositionPatient[:2], place.ImagePositionPatient[2] / 2 + 2]
    dataset.save_as(path)
    with pytest.raises(GeometryError, match="other pixels"):
        DicomCase("a", "a", series, path).read()


def test_licences_and_notes_beside_the_cases_do_not_part_them(tmp_path):
    for number, patient in enumerate(("anna", "otto")):
        write_series(tmp_path / f"case{number}" / "ct", patient)
        write_seg(tmp_path / f"case{number}" / "seg" / "1.dcm", patient)
    (tmp_path / "LICENSE").write_text("free")
    (tmp_path / "about").mkdir()
    (tmp_path / "about" / "notes.txt").write_text("read me")
    (image_set,) = open_data(tmp_path, 64)
    assert len({sample.subject for sample in image_set.samples}) == 2


def test_packs_beside_a_folder_of_dicom_stay_sets_of_their_own(tmp_path):
    write_series(tmp_path / "scans" / "ct", "anna")
    write_seg(tmp_path / "scans" / "seg" / "1.dcm", "anna")
    for name in ("discs", "squares"):
        write_pack(tmp_path, name)
    assert set(find_sets(tmp_path).sets) == {"scans", "discs", "squares"}


def test_a_file_of_many_frames_gets_the_seg_beside_it(tmp_path):
    frames, places = ARRAY.shape[0], [[5.0, 7.0, 4.0 * k] for k in range(ARRAY.shape[0])]
    dataset = blank("1.2.840.10008.5.1.4.1.1.2.1", "CT")
    dataset.SeriesInstanceUID, dataset.NumberOfFrames = "1.2.3.4", frames
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 1
    shared = Dataset()
    shared.PlaneOrientationSequence = item(ImageOrientationPatient=ORIENTATION)
    shared.PixelMeasuresSequence = item(PixelSpacing=[1.0, 0.5], SliceThickness=4.0)
    shared.PixelValueTransformationSequence = item(RescaleSlope=1, RescaleIntercept=0)
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    dataset.PerFrameFunctionalGroupsSequence = Sequence()
    for place in places:
        dataset.PerFrameFunctionalGroupsSequence += item(
            PlanePositionSequence=item(ImagePositionPatient=place)
        )
    dataset.PixelData = ARRAY.tobytes()
    dataset.save_as(tmp_path / "ct.dcm", enforce_file_format=True)
    write_seg(tmp_path / "seg.dcm")
    (image_set,) = open_data(tmp_path, 64)
    marked = [sample.image[sample.mask == 1].min() for sample in image_set.samples]
    assert (len(marked), min(marked) > 100) == (4, True)


def test_an_image_is_no_seg(tmp_path):
    series = write_series(tmp_path / "ct")
    with pytest.raises(InputFileError, match="no DICOM segmentation"):
        dicom_segment_layers(series / "00.dcm", read_volume(series))


def test_a_seg_without_places_is_named(tmp_path):
    volume = read_volume(write_series(tmp_path / "ct"))
    path = write_seg(tmp_path / "seg.dcm")
    dataset = pydicom.dcmread(path)
    del dataset.PerFrameFunctionalGroupsSequence
    dataset.save_as(path)
    with pytest.raises(InputFileError, match=r"seg\.dcm is a damaged or incomplete"):
        dicom_segment_layers(path, volume)


def test_the_sample_of_the_shared_folder_is_read():
    folder = Path(__file__).resolve().parents[3] / "shared" / "data" / "samples" / "dicom_seg"
    if not folder.is_dir():
        pytest.skip("needs ../shared: a DICOM segmentation of a real CT")
    assert next(iter(find_sets(folder).sets.values())).layout == "DICOM series and SEG"
