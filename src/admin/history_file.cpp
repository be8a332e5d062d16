#include "history_file.hpp"

#include <fulmar/base/log.hpp>

namespace fulmar::admin {

void history_file::save(const config_history& what) {
    const std::lock_guard guard(saving_);
    if (const result<void> saved = files_.replace(path_, encode(what)); !saved)
        log::warn("journal: what is known of the file's objects cannot be kept: {}",
                  saved.error().text());
}

}  // namespace fulmar::admin
