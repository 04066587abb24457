"""Pictures in and out, face detection, crop geometry, drawing. The only room with cv2."""
