#include <math.h>

int made_add(int a, int b) { return (int)(floor((double)a) + b); }
