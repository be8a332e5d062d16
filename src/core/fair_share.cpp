#include <fulmar/core/fair_share.hpp>

#include <algorithm>
#include <vector>

namespace fulmar::core {

namespace {

struct holder {
    std::uint64_t key = 0;
    std::uint32_t held = 0;
};

/// Who holds most; `own` is told how many the newcomer has.
holder greediest(std::span<const seat> taken, std::uint64_t seat::*key, std::uint64_t newcomer,
                 std::uint32_t& own) {
    std::vector<std::uint64_t> keys;
    keys.reserve(taken.size());
    for (const seat& s : taken) keys.push_back(s.*key);
    std::sort(keys.begin(), keys.end());
    holder most;
    own = 0;
    for (auto at = keys.begin(); at != keys.end();) {
        const auto end = std::upper_bound(at, keys.end(), *at);
        const auto held = static_cast<std::uint32_t>(end - at);
        if (*at == newcomer) own = held;
        if (*at != 0 && held > most.held) most = {.key = *at, .held = held};
        at = end;
    }
    return most;
}

std::optional<std::size_t> quietest(std::span<const seat> taken, std::uint64_t seat::*key,
                                    std::uint64_t whose) noexcept {
    std::optional<std::size_t> found;
    for (std::size_t i = 0; i < taken.size(); ++i)
        if (taken[i].*key == whose && (!found || taken[i].heard < taken[*found].heard)) found = i;
    return found;
}

std::optional<std::size_t> ask(std::span<const seat> taken, std::uint64_t seat::*key,
                               const seat& newcomer, std::uint32_t modest, const share_rule& rule) {
    const std::uint64_t mine = newcomer.*key;
    if (mine == 0) return std::nullopt;
    std::uint32_t own = 0;
    const holder most = greediest(taken, key, mine, own);
    const bool greedy = most.key != mine && most.held > modest && most.held > rule.factor * own;
    if (greedy) return quietest(taken, key, most.key);
    if (rule.own_too && own != 0) return quietest(taken, key, mine);
    return std::nullopt;
}

}  // namespace

std::optional<std::size_t> seat_that_gives_way(std::span<const seat> taken, const seat& newcomer,
                                               const share_rule& rule) {
    if (auto one = ask(taken, &seat::host, newcomer, rule.modest_host, rule)) return one;
    return ask(taken, &seat::address, newcomer, rule.modest_address, rule);
}

}  // namespace fulmar::core
