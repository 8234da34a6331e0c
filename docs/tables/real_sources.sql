SELECT detector, any_value(n_real) FILTER (source = 'imagenet-samples') AS "n, ImageNet",
       any_value(within(r_acc, r_acc_low, r_acc_high)) FILTER (source = 'imagenet-samples') AS "R.Acc, ImageNet",
       any_value(n_real) FILTER (source = 'coco-mini') AS "n, COCO",
       any_value(within(r_acc, r_acc_low, r_acc_high)) FILTER (source = 'coco-mini') AS "R.Acc, COCO"
FROM 'real/tables/real_sources_six_harmonised.csv'
WHERE suite = 'sd-samples' AND condition = 'harmonised'
GROUP BY detector
ORDER BY detector
