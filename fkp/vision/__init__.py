"""Pictures in and out, face detection, crop geometry, drawing: the room with cv2."""
