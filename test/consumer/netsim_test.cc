#include "netsim/world.h"

int main() { return sizeof(jsp::netsim::World) > 0 ? 0 : 1; }
