// What of ANA has changed for the host of one controller: it depends on the listener that it came
// by and on what it sees, so each controller compares the descriptions for itself (NVMe Base 2.0,
// sections 5.16.1.13 and 8.1.3). A move to another group is a change of the namespace's attributes
// as well, since Identify tells its group.
#include <fulmar/base/mutation.hpp>
#include <fulmar/core/controller.hpp>
#include <fulmar/core/subsystem_group.hpp>

namespace fulmar::core {

namespace {

// Calls `visit` for each number that either has, with null for the one that has not.
template <typename Visit>
void for_each_described(const subsystem_description& one, const subsystem_description& other,
                        Visit visit) noexcept {
    auto a = one.namespaces.begin();
    auto b = other.namespaces.begin();
    const auto a_end = one.namespaces.end();
    const auto b_end = other.namespaces.end();
    while (a != a_end || b != b_end) {
        const bool has_a = a != a_end && (b == b_end || a->number() <= b->number());
        const bool has_b = b != b_end && (a == a_end || b->number() <= a->number());
        visit(has_a ? &*a : nullptr, has_b ? &*b : nullptr);
        if (has_a) ++a;
        if (has_b) ++b;
    }
}

}  // namespace

// Namespaces that came or went are told by the event of their own, and whoever does not see one
// any more, or does from now on, hears of it by set_hidden().
void controller::paths_replaced(const subsystem_description& former,
                                const subsystem_description& now) noexcept {
    const std::uint16_t before = ana_column_;
    ana_column_ = now.ana_column(who_.listener);
    ana_changes_.begin();
    bool differs = false;
    bool told = false;
    for_each_described(former, now, [&](const auto* was, const auto* is) {
        const std::uint32_t number = (is != nullptr ? is : was)->number().value();
        if (hides(number) && !mutated(mutation::strangers_hear_of_changes)) return;
        const bool stays = was != nullptr && is != nullptr && was->id == is->id;
        const bool moved = stays && was->ana_group() != is->ana_group();
        if (stays && !moved && was->ana_at(before) == is->ana_at(ana_column_)) return;
        differs = true;
        told = told || stays;
        if (was != nullptr) ana_changes_.note(was->ana_group());
        if (is != nullptr) ana_changes_.note(is->ana_group());
        if (moved) namespace_changed(number);
    });
    if (!differs) ana_changes_.take_back();
    if (told) raise(nvme::event::ana_changed);
}

}  // namespace fulmar::core
