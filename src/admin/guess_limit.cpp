#include "guess_limit.hpp"

#include <algorithm>
#include <functional>
#include <random>

namespace fulmar::admin {

guess_limit::guess_limit() : seed_(std::random_device{}()) {}

std::size_t guess_limit::slot(const std::string& address) const {
    return std::hash<std::string>{}(address + std::to_string(seed_)) % settled_.size();
}

duration guess_limit::wait(const std::string& address, instant now) const {
    const instant settled = settled_[slot(address)];
    const duration owed = settled > now ? settled - now : duration::zero();
    const duration allowed = (limits::admin_guesses - 1) * duration(limits::admin_guess_interval);
    return owed > allowed ? owed - allowed : duration::zero();
}

void guess_limit::failed(const std::string& address, instant now) {
    instant& settled = settled_[slot(address)];
    settled = std::max(settled, now) + duration(limits::admin_guess_interval);
}

}  // namespace fulmar::admin
