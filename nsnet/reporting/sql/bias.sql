-- What the files of each generator look like, and how well they alone give the label away; worst first
SELECT suite, generator, n_real, n_fake, formats_real, formats_fake, sizes_real, sizes_fake, aspect_real, aspect_fake,
       jpeg_quality_real, jpeg_quality_fake, modes_real, modes_fake, exif_real, exif_fake, auc, auc_low, auc_high,
       flagged
FROM bias_audit
ORDER BY auc DESC NULLS LAST, suite, generator
