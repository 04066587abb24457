# Readers for the results of fkp, in base R.
#
#   source("examples/read_fkp.R")
#   faces <- fkp_faces("results")       # the rows of keypoints.csv with a face
#   points <- fkp_points(faces)         # an array: face, point, x or y
#   points[, "p30", "x"]                # the tip of the nose, by its name
#   events <- fkp_table("results/clip", "events.csv")
#
# Rows without a face are in fkp_table(folder) and not in fkp_faces(folder): count them before you
# report a rate.

# A table of a result folder, or a file. Empty cells are NA; paths with quotes or # do no harm.
fkp_table <- function(folder, name = "keypoints.csv") {
  path <- if (dir.exists(folder)) file.path(folder, name) else folder
  if (!file.exists(path)) {
    stop(path, ": there is no such table; fkp annotate and fkp video write it", call. = FALSE)
  }
  table <- read.csv(path, na.strings = "", check.names = FALSE, encoding = "UTF-8",
                    stringsAsFactors = FALSE)
  if ("status" %in% names(table)) {
    table$status <- factor(table$status, c("ok", "no_face", "unreadable", "filled"))
  }
  table
}

# The rows that have a face; filled: also those of a clip that were interpolated (--fill).
fkp_faces <- function(folder, filled = FALSE) {
  table <- fkp_table(folder)
  wanted <- c("ok", if (filled) "filled")
  faces <- table[table$status %in% wanted, , drop = FALSE]
  rownames(faces) <- NULL
  faces
}

# The points of such rows: an array (rows, points, 2), with the names of the points.
fkp_points <- function(faces) {
  xs <- grep("_x$", names(faces), value = TRUE)
  names_of <- setdiff(sub("_x$", "", xs), "box")
  names_of <- names_of[paste0(names_of, "_y") %in% names(faces)]
  columns <- as.vector(outer(names_of, c("x", "y"), paste, sep = "_"))
  values <- as.matrix(faces[columns])
  array(values, c(nrow(faces), length(names_of), 2),
        list(NULL, names_of, c("x", "y")))
}
