// What a configuration needs of the machine that it is for.
#pragma once

#include <fulmar/admin/config.hpp>

namespace fulmar::admin {

/// What is missing on this machine. Problems are what a start is refused for: a token file that
/// cannot be used, a CPU that is not there. Warnings are what may still come: folders.
/// Called on: any thread.
problem_list check_machine(const loaded_config& loaded);

}  // namespace fulmar::admin
