CREATE TABLE builds (id INTEGER PRIMARY KEY, project TEXT, seconds REAL, log TEXT);
INSERT INTO builds WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT i, 'project-' || abs(random() % 500), abs(random() % 90000) / 1000.0, hex(randomblob(48)) FROM n;
CREATE INDEX by_project ON builds (project, seconds);
SELECT count(*) || ' builds', round(avg(seconds), 1) || ' s on average' FROM builds;
SELECT project, count(*), round(avg(seconds), 2) AS mean FROM builds GROUP BY project ORDER BY mean DESC LIMIT 3;
PRAGMA integrity_check;
