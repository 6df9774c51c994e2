#include "turn/client.h"

int main() { return sizeof(jsp::turn::Client) > 0 ? 0 : 1; }
