"""The steps of the digits workflow, one module each, in the order in which they run.

    check      is the data what we think it is?
    split      hold images out for the end; deal the others into folds
    score      one classifier, judged on one fold (the fan-out)
    choose     the classifier with the best mean score
    train      that classifier, on all folds
    evaluate   its accuracy on the images that were held out
    report     report.md with two figures

Beside them: `samples` (the images as files), `results` (everything a step writes), `figures`
(SVG), and `models` (the classifiers). A step reads what earlier steps left in the out folder and
writes its own files there, whole or not at all; so any step may be killed and run again.
"""
