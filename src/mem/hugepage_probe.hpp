// Can this process get so much hugepage memory now? Asked before rte_eal_init, which cannot be
// tried twice.
#pragma once

#include <cstddef>
#include <string>

namespace fulmar::mem {

struct hugepage_answer {
    bool usable = false;
    std::string why;  ///< for people, either way
};

/// Maps and touches `bytes` of 2 MiB pages, and gives them back: the only way to learn about cgroup
/// limits too. `sysfs` is /sys/kernel/mm/hugepages but in tests.  Called on: control thread, before
/// start.
hugepage_answer probe_hugepages(std::size_t bytes,
                                const std::string& sysfs = "/sys/kernel/mm/hugepages");

}  // namespace fulmar::mem
