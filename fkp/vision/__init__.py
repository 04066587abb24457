"""Reading and writing pictures and videos, face detection, crop geometry, drawing, with cv2 and
PyAV."""
