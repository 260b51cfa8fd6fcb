import slicer, slicer.util, numpy as np
def test_scene(host, scene):
    v = slicer.util.addVolumeFromArray(np.zeros((3,4,5),np.int16), name='a')
    assert slicer.util.getNode('a') is v
    t = slicer.modules.terminologies.logic()
    assert t.GetLoadedTerminologyNames(slicer.vtk.vtkStringArray() if 0 else __import__('vtk').vtkStringArray()) is None
