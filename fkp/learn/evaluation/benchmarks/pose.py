"""Head rotations: conversion between the angles of AFLW2000-3D and of fkp."""

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from fkp.keypoints import IBUG68, FloatArray
from fkp.vision.measures import MEASURES, measure

Array = npt.NDArray[np.float64]

ANGLES = ("pitch", "yaw", "roll")
"""In the order of AFLW2000-3D's Pose_Para."""

# Rotations of a head that looks along +z, at the camera; x is to the picture's right, y up.


def from_pose_para(degrees: FloatArray) -> Rotation:
    """Rotations of N heads from pitch, yaw, roll (N, 3) of AFLW2000-3D and 300W-LP.

    Their R = R_x R_y R_z turns the other way round about each axis than is usual (RotationMatrix.m
    of Zhu et al., CVPR 2016): a positive yaw looks to the picture's left, a positive pitch up.
    """
    return Rotation.from_euler("XYZ", -np.asarray(degrees, np.float64), degrees=True)


def to_pose_para(rotations: Rotation) -> Array:
    """The inverse: pitch, yaw, roll (N, 3) in degrees, yaw from -90 to 90."""
    return np.asarray(-rotations.as_euler("XYZ", degrees=True), np.float64)


def from_measures(yaw: FloatArray, pitch: FloatArray, roll: FloatArray) -> Rotation:
    """Rotations of N heads from the angles (N,) of `vision.measures`, degrees."""
    angles = np.stack([yaw, -np.asarray(pitch), -np.asarray(roll)], axis=1)
    return Rotation.from_euler("YXZ", angles, degrees=True)


def measured_angles(points: FloatArray, sizes_wh: FloatArray) -> Array:
    """Pitch, yaw, roll (N, 3) as AFLW2000-3D counts them, of faces (N, 68, 2) in their pictures.

    NaN where a face has no pose.
    """
    if points.shape[1] != len(IBUG68):
        raise ValueError(f"expected 68 points, got {points.shape[1]}")
    pairs = zip(points, sizes_wh, strict=True)
    values = [measure(face[None], int(w), int(h))[0] for face, (w, h) in pairs]
    table = np.array(values, np.float64).reshape(len(points), -1)
    yaw, pitch, roll = (table[:, MEASURES.index(name)] for name in ("yaw", "pitch", "roll"))
    angles = np.full((len(points), 3), np.nan)
    known = np.isfinite(yaw) & np.isfinite(pitch) & np.isfinite(roll)
    if known.any():
        angles[known] = to_pose_para(from_measures(yaw[known], pitch[known], roll[known]))
    return angles


def angle_errors(said: FloatArray, truth: FloatArray) -> Array:
    """(N, 3): absolute differences of angles, the shorter way round, degrees."""
    return np.asarray(np.abs((np.asarray(said) - truth + 180) % 360 - 180), np.float64)


def rotation_errors(said: FloatArray, truth: FloatArray) -> Array:
    """(N,): angles of the rotations between said and true poses (N, 3), degrees."""
    known = np.isfinite(said).all(1) & np.isfinite(truth).all(1)
    errors = np.full(len(said), np.nan)
    if known.any():
        between = from_pose_para(said[known]) * from_pose_para(truth[known]).inv()
        errors[known] = np.degrees(between.magnitude())
    return errors
