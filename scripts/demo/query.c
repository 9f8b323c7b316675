/* Runs the SQL of a file in a database and prints its rows, each statement with its time: the demo's stand-in for SQLite's shell,
   which the npm package does not carry. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "sqlite3.h"

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static char *read_all(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) { perror(path); exit(2); }
  fseek(file, 0, SEEK_END);
  long size = ftell(file);
  rewind(file);
  char *text = calloc(1, size + 1);
  if (text == NULL || fread(text, 1, size, file) != (size_t)size) { perror(path); exit(2); }
  fclose(file);
  return text;
}

static int fail(sqlite3 *db) {
  fprintf(stderr, "error: %s\n", sqlite3_errmsg(db));
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 3) { fprintf(stderr, "usage: query DATABASE FILE.sql\n"); return 2; }
  sqlite3 *db;
  if (sqlite3_open(argv[1], &db) != SQLITE_OK) return fail(db);
  printf("SQLite %s\n", sqlite3_libversion());
  for (const char *rest = read_all(argv[2]); *rest != '\0';) {
    if (isspace((unsigned char)*rest)) { rest++; continue; }
    sqlite3_stmt *statement;
    double started = now();
    if (sqlite3_prepare_v2(db, rest, -1, &statement, &rest) != SQLITE_OK) return fail(db);
    if (statement == NULL) break; /* only white space and comments were left */
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
      for (int i = 0; i < sqlite3_column_count(statement); i++)
        printf("%s%s", i == 0 ? "  " : "  |  ", (const char *)sqlite3_column_text(statement, i));
      printf("\n");
    }
    if (code != SQLITE_DONE) return fail(db);
    printf("%.2f s  %.70s\n", now() - started, sqlite3_sql(statement));
    fflush(stdout);
    sqlite3_finalize(statement);
  }
  return sqlite3_close(db) == SQLITE_OK ? 0 : fail(db);
}
