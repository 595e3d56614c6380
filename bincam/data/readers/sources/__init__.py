"""Files of annotations as other programs write them: lines and tables of text, JSON, XML, MATLAB."""
