"""3D Slicer's Python world without 3D Slicer: real MRML, real slice views, real Qt, for tests and the demo.

`from SlicerHost.boot import boot` with the folder Testing on sys.path; `boot()` also gives the modules
`slicer`, `qt` and `ctk` to `import`. Passing on this host is not the same as passing in 3D Slicer.
"""

from __future__ import annotations

from SlicerHost.immortal_none import makeNoneImmortal

makeNoneImmortal()
