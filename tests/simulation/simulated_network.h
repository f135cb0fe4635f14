/*
 * simulated_network.h - the way from a process to storage and back: bytes of HTTP, in virtual time,
 * and everything that goes wrong on it.
 *
 * Each call is a step of the world, numbered in the order of sending. Its fate is drawn, or comes
 * from a plan, when it is sent (simulated_faults.h). Its request reaches storage after a delay, is
 * carried out there, and its answer comes back after another.
 *
 * Rules    What storage has been sent is carried out whether its sender still waits or not, and
 *          whether it still lives.
 *          A call is answered once, or times out.
 */
#ifndef SIMULATION_SIMULATED_NETWORK_H
#define SIMULATION_SIMULATED_NETWORK_H

#include "http/http_client.h"
#include "simulation/simulated_faults.h"
#include "simulation/simulated_identity.h"
#include "simulation/simulated_process.h"
#include "simulation/storage/simulated_storage.h"

enum { SIMULATED_MOST_RETRY_AFTER_S = 30 }; /* that storage asks for */

struct simulated_network;
struct simulated_client;

/* Called after storage has carried out a request, and before its answer leaves. */
typedef void (*simulated_network_carried_out)(void *context, enum simulated_service service);

/*
 * Called before an answer of storage's or of a gateway's reaches its sender. `request` is as it was
 * sent.
 */
typedef void (*simulated_network_answered)(void *context, struct simulated_client *client,
                                           const char *request, const struct http_reply *reply);

/* What happens to a sender when its call is struck by a fault of processes or operators. */
typedef void (*simulated_network_strike)(void *context, struct simulated_client *client,
                                         enum simulated_fault fault);

/* Called before a request is on its way. */
typedef void (*simulated_network_sending)(void *context, struct simulated_client *client,
                                          const struct http_call *call);

struct simulated_network {
    struct simulation *simulation;
    struct simulated_storage *storage;
    struct simulated_identity *identity;
    struct simulated_faults *faults;
    simulated_network_sending on_sending;
    simulated_network_carried_out on_carried_out;
    simulated_network_answered on_answered;
    simulated_network_strike on_strike;
    void *context;
    uint64_t seed;
    int64_t step; /* of the last call that was sent */
    int64_t carried_out;
    int64_t unreachable_until_us[SIMULATED_SERVICES];
    int64_t denied_until_us;
    int64_t renewals_refused_until_us;
    LIST_HEAD(simulated_calls, simulated_call) calls; /* under way */
};

void simulated_network_init(struct simulated_network *network, struct simulation *simulation,
                            struct simulated_storage *storage, struct simulated_identity *identity,
                            struct simulated_faults *faults, uint64_t seed);

/* Frees what is still under way. */
void simulated_network_cleanup(struct simulated_network *network);

/* A process's way to the network. Zeroed at first. */
struct simulated_client {
    struct http_client base;
    bool is_spared; /* no fault strikes it */
    int64_t cut_off_until_us;
    struct simulated_network *network;
    struct simulated_process *process;
};

void simulated_client_init(struct simulated_client *client, struct simulated_network *network,
                           struct simulated_process *process);

/* The process has crashed: nobody waits for its calls any more. */
void simulated_client_forget(struct simulated_client *client);

#endif
