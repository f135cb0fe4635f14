/*
 * free_port.h - a port for a program that is told where to listen.
 */
#ifndef DEVHOST_FREE_PORT_H
#define DEVHOST_FREE_PORT_H

/*
 * A port of 127.0.0.1 that nobody uses; 0: none. It lies below those that the kernel gives to
 * connections. A port of the kernel's choice could become the near end of somebody's connection
 * before the program binds it. Each process searches from another place, and finds none twice
 * before it has found them all.
 */
int free_port_find(void);

#endif
