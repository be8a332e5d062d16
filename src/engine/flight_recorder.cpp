// One ring per reactor. Must never allocate after construction, lock, or block.
#include <fulmar/base/assert.hpp>
#include <fulmar/engine/flight_recorder.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <new>
#include <type_traits>

namespace fulmar::engine {

namespace {

constexpr std::uint64_t mask = limits::flight_entries - 1;
static_assert(std::has_single_bit(std::uint64_t{limits::flight_entries}));

// Of all reactors that live, for a process that is dying.
constinit std::array<std::atomic<const flight_recorder*>, limits::max_data_reactors + 1> all{};

template <typename Id>
std::uint64_t pack(Id id) noexcept {
    return std::uint64_t{id.generation} << 32 | id.index;
}
template <typename Id>
Id unpack(std::uint64_t word) noexcept {
    return {.index = static_cast<std::uint32_t>(word),
            .generation = static_cast<std::uint32_t>(word >> 32)};
}

}  // namespace

flight_recorder::flight_recorder(reactor_id where)
    : where_(where), rooms_(std::make_unique_for_overwrite<room[]>(limits::flight_entries)) {
    static_assert(std::is_trivially_destructible_v<slot>);
    for (auto& place : all) {
        const flight_recorder* nobody = nullptr;
        if (place.compare_exchange_strong(nobody, this)) return;
    }
}

flight_recorder::~flight_recorder() {
    for (auto& place : all) {
        const flight_recorder* self = this;
        if (place.compare_exchange_strong(self, nullptr)) return;
    }
}

flight_recorder::slot& flight_recorder::slot_of(std::uint64_t number) const noexcept {
    return *std::launder(reinterpret_cast<slot*>(&rooms_[number & mask]));
}

// A reader that has seen one of the new words sees the odd number as well, since the words are
// released after it.
void flight_recorder::note(instant at, const flight_note& what) noexcept {
    const std::uint64_t number = next_.load(std::memory_order_relaxed);
    if (number < limits::flight_entries) ::new (&rooms_[number]) slot;
    slot& s = slot_of(number);
    s.sequence.store(2 * number + 1, std::memory_order_relaxed);
    const std::array<std::uint64_t, 7> words{
        static_cast<std::uint64_t>(at.time_since_epoch().count()),
        std::bit_cast<std::uint64_t>(what.what),
        std::bit_cast<std::uint64_t>(what.detail),
        pack(what.subsystem),
        pack(what.ns),
        what.object,
        what.value};
    for (std::size_t i = 0; i < words.size(); ++i)
        s.words[i].store(words[i], std::memory_order_release);
    s.sequence.store(2 * number + 2, std::memory_order_release);
    next_.store(number + 1, std::memory_order_release);
}

bool flight_recorder::read(std::uint64_t back, flight_entry& into) const noexcept {
    const std::uint64_t count = written();
    if (back >= std::min<std::uint64_t>(count, limits::flight_entries)) return false;
    const std::uint64_t number = count - 1 - back;
    const slot& s = slot_of(number);
    const std::uint64_t before = s.sequence.load(std::memory_order_acquire);
    if (before != 2 * number + 2) return false;
    std::array<std::uint64_t, 7> words{};
    for (std::size_t i = 0; i < words.size(); ++i)
        words[i] = s.words[i].load(std::memory_order_acquire);
    if (s.sequence.load(std::memory_order_relaxed) != before) return false;
    into.sequence = number + 1;
    into.reactor = where_;
    into.at = instant(duration(static_cast<std::int64_t>(words[0])));
    into.what = std::bit_cast<const char*>(words[1]);
    into.detail = std::bit_cast<const char*>(words[2]);
    into.subsystem = unpack<subsystem_id>(words[3]);
    into.ns = unpack<namespace_id>(words[4]);
    into.object = words[5];
    into.value = words[6];
    return true;
}

void flight_recorder::collect(std::vector<flight_entry>& into) const {
    const std::uint64_t present = std::min<std::uint64_t>(written(), limits::flight_entries);
    into.reserve(into.size() + present);
    std::uint64_t newest = 0;
    for (std::uint64_t back = present; back != 0; --back) {
        flight_entry entry;
        // The writer may go on meanwhile: then `back` means a later entry, which is not told twice.
        if (!read(back - 1, entry) || entry.sequence <= newest) continue;
        newest = entry.sequence;
        into.push_back(entry);
    }
}

std::size_t print_flight_entry(const flight_entry& entry, instant zero,
                               std::span<char> into) noexcept {
    FULMAR_ASSERT(into.size() > 1);
    const std::size_t room = into.size() - 1;  // the newline's place is kept
    std::size_t used = 0;
    const auto add = [&](auto form, const auto&... values) {
        const auto done = fmt::format_to_n(into.data() + used, room - used, form, values...);
        used = std::min(room, used + done.size);
    };
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(entry.at - zero).count();
    add(FMT_STRING("{:>6}.{:06} r{} {}"), us / 1'000'000, us % 1'000'000, entry.reactor.value(),
        entry.what);
    if (entry.subsystem.valid())
        add(FMT_STRING(" subsystem {}.{}"), entry.subsystem.index, entry.subsystem.generation);
    if (entry.ns.valid())
        add(FMT_STRING(" namespace {}.{}"), entry.ns.index + 1, entry.ns.generation);
    if (*entry.detail != '\0') add(FMT_STRING(" {}"), entry.detail);
    if (entry.object != 0) add(FMT_STRING(" #{}"), entry.object);
    if (entry.value != 0) add(FMT_STRING(" ({})"), entry.value);
    into[used] = '\n';
    return used + 1;
}

void dump_flight_recorders(int fd) noexcept {
    std::array<char, 256> line{};
    const auto put = [fd](const char* text, std::size_t length) noexcept {
        while (length != 0) {
            const ssize_t written = ::write(fd, text, length);
            if (written <= 0) return;
            text += written;
            length -= static_cast<std::size_t>(written);
        }
    };
    constexpr std::string_view title = "fulmar: flight recorder, seconds of the monotonic clock\n";
    put(title.data(), title.size());
    for (const auto& place : all) {
        const flight_recorder* recorder = place.load();
        if (recorder == nullptr) continue;
        for (std::uint64_t back = limits::flight_entries; back != 0; --back) {
            flight_entry entry;
            if (recorder->read(back - 1, entry))
                put(line.data(), print_flight_entry(entry, instant{}, line));
        }
    }
}

}  // namespace fulmar::engine
