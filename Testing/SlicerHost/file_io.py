"""slicer.app.coreIOManager(): loads and saves scenes and the nodes that a segmentation module meets."""

from __future__ import annotations

import os

import slicer
import vtk
from PySide6.QtCore import QObject, Signal

# Which reader takes a file, longest extension first.
EXTENSIONS = {
    ".seg.nrrd": "SegmentationFile",
    ".seg.nhdr": "SegmentationFile",
    ".seg.vtm": "SegmentationFile",
    ".mrk.json": "MarkupsFile",
    ".nii.gz": "VolumeFile",
    ".fcsv": "MarkupsFile",
    ".mrb": "SceneFile",
    ".mrml": "SceneFile",
    ".ctbl": "ColorTableFile",
    ".tfm": "TransformFile",
    ".h5": "TransformFile",
    ".txt": "TextFile",
    ".json": "TextFile",
    ".xml": "TextFile",
    ".vtp": "ModelFile",
    ".stl": "ModelFile",
    ".csv": "TableFile",
    ".tsv": "TableFile",
}
# Readers that are nothing but a storage node: file type -> (node class, storage node class)
STORAGE = {
    "SegmentationFile": ("vtkMRMLSegmentationNode", "vtkMRMLSegmentationStorageNode"),
    "TextFile": ("vtkMRMLTextNode", "vtkMRMLTextStorageNode"),
    "TransformFile": ("vtkMRMLTransformNode", "vtkMRMLTransformStorageNode"),
    "ModelFile": ("vtkMRMLModelNode", "vtkMRMLModelStorageNode"),
    "TableFile": ("vtkMRMLTableNode", "vtkMRMLTableStorageNode"),
}
# vtkSlicerVolumesLogic::LoadingOptions
VOLUME_OPTIONS = {"labelmap": 1, "center": 2, "singleFile": 4, "autoWindowLevel": 8, "discardOrientation": 16}


class CoreIOManager(QObject):
    """What slicer.util.load*, saveNode, exportNode, saveScene and loadScene ask."""

    newFileLoaded = Signal("QVariantMap")
    fileSaved = Signal("QVariantMap")

    def fileType(self, fileName):
        """Return the reader's name for a file."""
        return EXTENSIONS.get(self.extractKnownExtension(str(fileName)), "VolumeFile")

    def extractKnownExtension(self, fileName, node=None):
        """Return the file's extension, the long one where it is known (.seg.nrrd)."""
        name = os.path.basename(str(fileName)).lower()
        known = (extension for extension in EXTENSIONS if name.endswith(extension))
        return next(known, os.path.splitext(name)[1])

    def loadNodes(self, fileType, properties, loaded=None, messages=None):
        """Load a file; whether it succeeded. Loaded nodes go into the vtkCollection."""
        fileName = str(properties["fileName"])
        if not os.path.isfile(fileName):
            if messages is not None:
                messages.AddMessage(vtk.vtkCommand.ErrorEvent, f"File not found: {fileName}")
            return False
        if fileType == "SceneFile":
            return self._loadScene(fileName, properties.get("clear", True), messages)
        node = self._loadNode(fileType, fileName, properties, messages)
        if node is None:
            return False
        if loaded is not None:
            loaded.AddItem(node)
        self.newFileLoaded.emit({"fileType": fileType, "fileName": fileName, "nodeIDs": [node.GetID()]})
        return True

    def _loadScene(self, fileName, clear, messages):
        scene = slicer.mrmlScene
        if fileName.lower().endswith(".mrb"):
            return bool(scene.ReadFromMRB(fileName, clear, messages))
        scene.SetURL(fileName)
        return bool(scene.Connect(messages) if clear else scene.Import(messages))

    def _loadNode(self, fileType, fileName, properties, messages):
        """Return the loaded node with its display and storage nodes, or None."""
        name = properties.get("name") or self._baseName(fileName)
        if fileType == "VolumeFile":
            return self._loadVolume(fileName, name, properties, messages)
        if fileType == "MarkupsFile":
            identifier = slicer.modules.markups.logic().LoadMarkups(fileName, name, messages)
            return slicer.mrmlScene.GetNodeByID(identifier) if identifier else None
        if fileType == "ColorTableFile":
            return slicer.modules.colors.logic().LoadColorFile(fileName, name, messages)
        if fileType not in STORAGE:
            raise NotImplementedError(f"This host cannot load a {fileType}")
        nodeClass, storageClass = STORAGE[fileType]
        scene = slicer.mrmlScene
        node = scene.AddNewNodeByClass(nodeClass, scene.GenerateUniqueName(name))
        storage = scene.AddNewNodeByClass(storageClass)
        storage.SetFileName(fileName)
        node.SetAndObserveStorageNodeID(storage.GetID())
        if not storage.ReadData(node):
            scene.RemoveNode(node)
            scene.RemoveNode(storage)
            return None
        if node.IsA("vtkMRMLDisplayableNode"):
            node.CreateDefaultDisplayNodes()
        return node

    def _loadVolume(self, fileName, name, properties, messages):
        """Read through the volumes logic; `show` (default) puts the volume into the slice views."""
        options = sum(bit for key, bit in VOLUME_OPTIONS.items() if properties.get(key))
        files = None
        if properties.get("fileNames"):
            files = vtk.vtkStringArray()
            for one in properties["fileNames"]:
                files.InsertNextValue(str(one))
        volumes = slicer.modules.volumes.logic()
        node = volumes.AddArchetypeVolume(fileName, name, options, files, messages)
        if node is not None and properties.get("show", True):
            selection = slicer.app.applicationLogic().GetSelectionNode()
            if properties.get("labelmap"):
                selection.SetActiveLabelVolumeID(node.GetID())
            else:
                selection.SetActiveVolumeID(node.GetID())
            slicer.app.applicationLogic().PropagateVolumeSelection()
        return node

    def _baseName(self, fileName):
        base = os.path.basename(fileName)
        return base[: len(base) - len(self.extractKnownExtension(fileName))]

    def fileWriterFileType(self, node, extension=""):
        """Return the writer's name for a node."""
        return node.GetClassName().removeprefix("vtkMRML").removesuffix("Node") + "File"

    def fileWriterExtensions(self, node):
        """Return "description (.extension)" for each format that the node can be written in."""
        if node.IsA("vtkMRMLVolumeNode"):
            # the storage node of volumes leaves the answer to ITK
            types = slicer.vtkDataFileFormatHelper().GetITKSupportedWriteFileFormats()
        else:
            types = self._newStorage(node).GetSupportedWriteFileTypes()
        return tuple(types.GetValue(index) for index in range(types.GetNumberOfValues()))

    def _newStorage(self, node):
        storage = node.CreateDefaultStorageNode()
        storage.UnRegister(None)
        return storage

    def saveNodes(self, fileType, properties, messages=None):
        """Save one node, or the scene; whether it succeeded."""
        fileName = str(properties["fileName"])
        if fileType == "SceneFile":
            return self._saveScene(fileName, messages)
        node = slicer.mrmlScene.GetNodeByID(properties["nodeID"])
        node.AddDefaultStorageNode(fileName)
        if node.GetStorageNode() is None:
            # a short text, for example, is kept in the scene file
            return False
        return self._write(node, node.GetStorageNode(), fileName, properties)

    def _write(self, node, storage, fileName, properties):
        storage.SetFileName(fileName)
        if "useCompression" in properties:
            storage.SetUseCompression(bool(properties["useCompression"]))
        written = bool(storage.WriteData(node))
        if written:
            self.fileSaved.emit({"fileName": fileName})
        return written

    def _saveScene(self, fileName, messages):
        scene = slicer.mrmlScene
        if fileName.lower().endswith(".mrb"):
            return bool(scene.WriteToMRB(fileName, None, messages))
        if fileName.lower().endswith(".mrml"):
            scene.SetURL(fileName)
            return bool(scene.Commit(fileName, messages))
        os.makedirs(fileName, exist_ok=True)
        return bool(scene.SaveSceneToSlicerDataBundleDirectory(fileName, None, messages))

    def exportNodes(self, nodeIDs, fileNames, properties, hardenTransform=False, messages=None):
        """Write copies of nodes, in a scene of their own, without touching their storage nodes."""
        for nodeID, fileName in zip(nodeIDs, fileNames, strict=True):
            source = slicer.mrmlScene.GetNodeByID(nodeID)
            temporary = slicer.vtkMRMLScene()
            slicer.mrmlScene.CopyRegisteredNodesToScene(temporary)
            copy = temporary.AddNewNodeByClass(source.GetClassName(), source.GetName())
            copy.CopyContent(source)
            if hardenTransform and source.GetParentTransformNode() is not None:
                self._harden(source, copy)
            storage = self._newStorage(copy)
            temporary.AddNode(storage)
            if not self._write(copy, storage, str(fileName), properties):
                return False
        return True

    def _harden(self, source, copy):
        """Move the copy to where the source's transforms put it; a linear transform does not resample."""
        transformNode = source.GetParentTransformNode()
        if transformNode.IsTransformToWorldLinear():
            matrix = vtk.vtkMatrix4x4()
            transformNode.GetMatrixTransformToWorld(matrix)
            copy.ApplyTransformMatrix(matrix)
        else:
            toWorld = vtk.vtkGeneralTransform()
            transformNode.GetTransformToWorld(toWorld)
            copy.ApplyTransform(toWorld)
