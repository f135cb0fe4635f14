/*
 * Each answer of a commit says what was available after it, and how much it took or gave; so it is
 * an edge from one quantity to another, and an order in which all fit is a trail that uses each
 * edge once. Euler: there is one when all edges hang together and each place is left as often as it
 * is come to, but for the start, left once more, and the end, come to once more.
 */
#include "torture/checker_model.h"

#include <stdlib.h>

struct place {
    int64_t available;
    int64_t left_more; /* times left less times come to */
    size_t group;      /* places that hang together have the same, once it is followed to its end */
};

static int compare_places(const void *left, const void *right) {
    const struct place *a = left, *b = right;
    return a->available < b->available ? -1 : a->available > b->available;
}

static size_t gather_places(const struct checker_step *steps, size_t count, struct place *places) {
    for (size_t i = 0; i < count; i++) {
        places[2 * i] = (struct place){.available = steps[i].before};
        places[2 * i + 1] = (struct place){.available = steps[i].after};
    }
    qsort(places, 2 * count, sizeof *places, compare_places);
    size_t kept = 0;
    for (size_t i = 0; i < 2 * count; i++) {
        if (kept == 0 || places[kept - 1].available != places[i].available) {
            places[kept] = places[i];
            places[kept].group = kept;
            kept++;
        }
    }
    return kept;
}

static size_t find_place(const struct place *places, size_t count, int64_t available) {
    struct place wanted = {.available = available};
    const struct place *found = bsearch(&wanted, places, count, sizeof *places, compare_places);
    checker_need(found != NULL);
    return (size_t)(found - places);
}

static size_t find_group(const struct place *places, size_t i) {
    while (places[i].group != i) {
        i = places[i].group;
    }
    return i;
}

static void walk(const struct checker_step *step, struct place *places, size_t count) {
    size_t from = find_place(places, count, step->before),
           to = find_place(places, count, step->after);
    places[from].left_more++;
    places[to].left_more--;
    places[find_group(places, from)].group = find_group(places, to);
}

bool checker_trail_exists(const struct checker_step *steps, size_t count, int64_t *out_start,
                          bool *out_circuit) {
    struct place *places = checker_allocate(2 * count, sizeof *places);
    size_t place_count = gather_places(steps, count, places);
    for (size_t i = 0; i < count; i++) {
        walk(&steps[i], places, place_count);
    }
    bool exists = true;
    int64_t excess = 0, start = steps[0].before;
    for (size_t i = 0; i < place_count; i++) {
        exists = exists && find_group(places, i) == find_group(places, 0);
        if (places[i].left_more > 0) {
            excess += places[i].left_more;
            start = places[i].available;
        }
    }
    free(places);
    *out_start = start;
    *out_circuit = excess == 0;
    return exists && excess <= 1;
}
