/** Keeps one core busy for as long as it lives. @module */

for (let x = 1;;) x = Math.imul(x, 0x01000193) ^ 1;
