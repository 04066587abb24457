"""fkp from Python: what the commands do, as functions.

import fkp

network = fkp.load()                          # the bundled network and face detector
faces = network.annotate("photo.jpg")         # or an array, BGR
print(faces.points[0], faces.confidence[0])   # (68, 2), (68,)
faces.draw().shape, faces.to_frame()          # drawn into the photo; as a table

for photo in network.photos("photos/"):       # many files, in several processes
    print(photo.path, photo.status, len(photo.faces))
for frame in network.video("clip.mp4"):       # with who is who, and when
    print(frame.time, frame.faces.numbers)
table = fkp.to_frame(network.photos("photos/"))

network = fkp.train("data.csv", "runs/mine", epochs=20)
print(network.evaluate("data.csv").scores.nme)

fkp.annotate("photos/", "results/", resume=True)   # whole runs, as the commands make them
"""

from fkp.api.data import audit, convert, prepare
from fkp.api.network import Network, load
from fkp.api.results import Frame, Photo, to_frame
from fkp.api.runs import annotate, merge, video
from fkp.api.training import evaluate, resume_training, train

__all__ = [
    "Frame", "Network", "Photo", "annotate", "audit", "convert", "evaluate", "load", "merge",
    "prepare", "resume_training", "to_frame", "train", "video",
]  # fmt: skip
