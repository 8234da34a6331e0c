SELECT detector, within(tpr_at_1_percent, tpr_at_1_percent_low, tpr_at_1_percent_high) AS "TPR at 1 % FPR",
       within(tpr_at_5_percent, tpr_at_5_percent_low, tpr_at_5_percent_high) AS "TPR at 5 % FPR",
       within(precision_at_1_percent, precision_at_1_percent_low, precision_at_1_percent_high) AS "precision at 1 %",
       number(ece) AS ECE, number(ece_scaled) AS "ECE, scaled"
FROM 'real/tables/deployment_six_harmonised.csv'
WHERE suite = 'sd-samples' AND condition = 'harmonised'
ORDER BY tpr_at_1_percent DESC, detector
