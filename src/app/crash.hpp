// What a dying process leaves behind: the flight recorders of all its reactors, on stderr.
#pragma once

namespace fulmar::app {

/// From now on a failed assertion, an abort and a fatal signal (SEGV, BUS, FPE, ILL) dump the
/// flight recorders before they end the process as ever. Called on: main thread, once, before
/// others start; a later handler for one of these signals takes its place.
void dump_on_crash() noexcept;

}  // namespace fulmar::app
