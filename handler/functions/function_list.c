/*
 * function_list.c - the rows of FUNCTION_TABLE as an array. The files of the functions include
 * function_table.h, and this file needs all of them, so the array is in a file of its own.
 */
#include "functions/function_table.h"

#define HTTP_ROW(name, method, route, handler) {name, method, route, &(handler)},
#define TIMER_ROW(name, schedule, handler) {name, NULL, NULL, &(handler)},

const struct function function_table[] = {FUNCTION_TABLE(HTTP_ROW, TIMER_ROW){0}};
