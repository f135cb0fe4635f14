/*
 * free_port.h - a port for a program that is told where to listen.
 *
 * Layer: tests.
 */
#ifndef SUPPORT_FREE_PORT_H
#define SUPPORT_FREE_PORT_H

/*
 * One of 127.0.0.1, below those that the kernel gives to whoever asks for any: between now and that program's own bind nobody's
 * connection must get it. Each test process has a part of them to itself, as far as that goes.
 */
int free_port_find(void);

#endif
