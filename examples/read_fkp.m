function [faces, points, all_rows] = read_fkp(folder)
%READ_FKP The results of fkp annotate or fkp video.
%
%   [faces, points, all_rows] = read_fkp("results")
%
%   faces: the rows of keypoints.csv with a face, as a table; empty cells are NaN.
%   points: (faces, points, 2), pixels: x, then y. MATLAB counts from 1: point p30 is points(:, 31, :).
%   all_rows: with those without a face; count them before you report a rate.

path = fullfile(folder, "keypoints.csv");
if ~isfile(path)
    error("read_fkp:missing", "%s: there is no such table; fkp annotate and fkp video write it", path)
end
options = detectImportOptions(path, "Delimiter", ",", "Encoding", "UTF-8", "VariableNamingRule", "preserve");
texts = intersect(["image", "status", "reason"], string(options.VariableNames));
options = setvartype(options, texts, "string");
options = setvartype(options, setdiff(string(options.VariableNames), texts, "stable"), "double");
all_rows = readtable(path, options);
faces = all_rows(all_rows.status == "ok", :);

names = string(faces.Properties.VariableNames);
xs = names(endsWith(names, "_x") & names ~= "box_x");
xs = xs(ismember(extractBefore(xs, strlength(xs)) + "y", names));
ys = extractBefore(xs, strlength(xs)) + "y";
points = cat(3, faces{:, xs}, faces{:, ys});
end
