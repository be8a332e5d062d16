#include <fulmar/admin/event_numbers.hpp>

#include <chrono>

namespace fulmar::admin {

void event_numbers::date(event& one) noexcept {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    one.sequence = ++last_;
    one.unix_ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

}  // namespace fulmar::admin
