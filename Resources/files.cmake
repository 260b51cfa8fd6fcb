# Written by Testing/package_lists.py: what the module needs at run time
set(KPRISM_RESOURCES
  Resources/Classes/KPrism.term.json
  Resources/Classes/kprism-paper.csv
  Resources/Classes/kprism-small.csv
  Resources/Configs/train-paper.toml
  Resources/Configs/train-small.toml
  Resources/DataSets/paper.toml
  Resources/Icons/KPrismPhantom.png
  Resources/Icons/KPrismSlicer.png
  Resources/Models/TRAINING.md
  Resources/Models/card-small.toml
  Resources/Models/kprism-small.safetensors
  Resources/Samples/KPrismPhantom.nrrd
  Resources/UI/KPrismSlicer.ui
  )
