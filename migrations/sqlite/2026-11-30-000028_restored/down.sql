DROP TABLE restores;
DROP TABLE installation;
