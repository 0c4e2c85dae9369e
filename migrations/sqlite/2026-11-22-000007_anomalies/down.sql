DROP TABLE restraints;
