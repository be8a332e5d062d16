#include "reservation_files.hpp"

#include <fulmar/admin/config.hpp>
#include <fulmar/base/log.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <exception>
#include <utility>

namespace fulmar::app {

using core::reservation_record;
using nlohmann::json;

namespace {

// Keys have 64 bits, which most readers of JSON do not keep as numbers.
std::string key_text(std::uint64_t key) { return fmt::format("{:#018x}", key); }

std::uint64_t read_key(const std::string& text) {
    std::uint64_t key = 0;
    const char* const end = text.data() + text.size();
    if (!text.starts_with("0x") || std::from_chars(text.data() + 2, end, key, 16).ptr != end)
        throw std::invalid_argument("a key is written like 0x0000000000000001");
    return key;
}

struct kept {
    std::string boot_id;
    reservation_record what;
};

/// May throw.
kept parse(const std::string& text) {
    const json all = json::parse(text);
    kept k{.boot_id = all.at("boot").get<std::string>(), .what = {}};
    k.what.generation = all.at("generation").get<std::uint32_t>();
    k.what.persistent = all.at("persistent").get<bool>();
    k.what.type = all.at("type").get<std::uint8_t>();
    k.what.holder = all.at("holder").get<std::string>();
    for (const json& one : all.at("registrants"))
        k.what.registrants.push_back({.host = one.at("host").get<std::string>(),
                                      .key = read_key(one.at("key").get<std::string>())});
    return k;
}

}  // namespace

reservation_files::reservation_files(engine::reactor& control, admin::disk& files,
                                     std::string prefix, std::string boot_id)
    : control_(control), files_(files), prefix_(std::move(prefix)), boot_id_(std::move(boot_id)) {
    const std::string folder = admin::folder_of(prefix_);
    const std::string beginning = prefix_.substr(prefix_.rfind('/') + 1);
    const auto names = files_.list(folder, beginning);
    if (!names) {
        if (names.error().code != errc::not_found) unlisted_ = names.error();
        return;
    }
    for (const std::string& name : *names) read(name.substr(beginning.size()), folder + "/" + name);
}

reservation_files::~reservation_files() {
    ending_ = true;
    if (job_ == nullptr) write_next();
    if (job_ != nullptr) job_.release()->abandon();  // deletes itself
}

// A name that is none of ours (a file that was being written when the power went) is nobody's.
void reservation_files::read(const std::string& name, const std::string& path) {
    const auto of = nvme::parse_uuid(name);
    if (!of) return;
    const result<std::string> text = files_.read(path);
    error why;
    if (!text) {
        why = text.error();
    } else {
        try {
            kept k = parse(*text);
            if (k.what.persistent || k.boot_id == boot_id_) {
                known_[*of] = std::move(k.what);
                return;
            }
            log::info("{}: the machine has been started anew, so that its reservations have ended",
                      path);
            add({.of = *of, .path = path, .text = {}});
            return;
        } catch (const std::exception& failure) {
            why = {errc::invalid_argument, failure.what(), path};
        }
    }
    damaged_[*of] = why;
}

std::string reservation_files::path_of(const nvme::uuid& of) const {
    return prefix_ + std::string(nvme::to_text(of).view());
}

std::string reservation_files::render(const nvme::uuid& of, const reservation_record& what) const {
    json registrants = json::array();
    for (const reservation_record::entry& one : what.registrants)
        registrants.push_back({{"host", one.host}, {"key", key_text(one.key)}});
    const json all{{"namespace", std::string(nvme::to_text(of).view())},
                   {"boot", boot_id_},
                   {"generation", what.generation},
                   {"persistent", what.persistent},
                   {"type", what.type},
                   {"holder", what.holder},
                   {"registrants", std::move(registrants)}};
    return all.dump(1) + "\n";
}

result<std::optional<reservation_record>> reservation_files::recall(const nvme::uuid& of) const {
    if (const auto bad = damaged_.find(of); bad != damaged_.end())
        return fail(errc::io_error,
                    fmt::format("{} cannot be understood: {}", path_of(of), bad->second.text()), {},
                    "restore the file, or remove it, and start again");
    if (const auto at = known_.find(of); at != known_.end()) return std::optional(at->second);
    if (unlisted_) return tl::unexpected(*unlisted_);
    return std::optional<reservation_record>();
}

void reservation_files::record(const nvme::uuid& of, const reservation_record& what, waiter* w) {
    known_[of] = what;  // the order of calls is that on disk
    add({.of = of, .path = path_of(of), .text = render(of, what), .told = w});
    damaged_.erase(of);
    if (job_ == nullptr) write_next();
}

void reservation_files::forget(const nvme::uuid& of) noexcept try {
    known_.erase(of);
    damaged_.erase(of);
    add({.of = of, .path = path_of(of), .text = {}});
    if (job_ == nullptr) write_next();
} catch (const std::bad_alloc&) {
    log::warn("a namespace was removed, and its reservations stay in the state directory");
}

// Of each file only the newest wish counts, unless somebody waits for another.
void reservation_files::add(wish what) {
    std::erase_if(wanted_, [&](const wish& w) { return w.of == what.of && w.told == nullptr; });
    wanted_.push_back(std::move(what));
}

void reservation_files::withdraw(waiter& w) noexcept {
    const auto leave = [&w](std::vector<wish>& all) {
        for (wish& one : all)
            if (one.told == &w) one.told = nullptr;
    };
    leave(wanted_);
    leave(done_);
    if (job_ != nullptr) leave(job_->wishes);
}

void reservation_files::write_next() noexcept {
    if (wanted_.empty() || !done_.empty()) return;
    result<void> started = fail(errc::no_memory, "no memory to write a reservation");
    try {
        job_ = std::make_unique<writing>();
        job_->owner = this;
        job_->files = &files_;
        job_->wishes = std::exchange(wanted_, {});
        started = job_->start(control_);
        if (started) return;
        wanted_ = std::exchange(job_->wishes, {});
    } catch (const std::bad_alloc&) {}
    job_.reset();
    done_ = std::exchange(wanted_, {});
    for (wish& one : done_) one.outcome = started;
    if (!ending_) control_.post(tell_);  // not inside record()
}

// Whoever is told may have more to write, or withdraw others.
void reservation_files::tell() noexcept {
    for (std::size_t i = 0; i < done_.size(); ++i) {
        wish& one = done_[i];
        waiter* const w = std::exchange(one.told, nullptr);
        if (w != nullptr)
            w->on_recorded(one.outcome);  // who says what it means
        else if (!one.outcome)
            log::error("{}: {}", one.path, one.outcome.error().text());
    }
    done_.clear();
    if (job_ == nullptr) write_next();
}

void reservation_files::writing::work() noexcept {
    for (wish& one : wishes) {
        try {
            if (!one.text.empty()) {
                one.outcome = files->replace(one.path, one.text);
                continue;
            }
            one.outcome = files->remove(one.path);
            if (one.outcome) one.outcome = files->sync_folder(admin::folder_of(one.path));
        } catch (const std::exception& failure) {
            one.outcome = fail(errc::no_memory, failure.what());
        }
    }
}

void reservation_files::writing::come_home() noexcept {
    reservation_files& all = *owner;
    const std::unique_ptr<writing> self = std::move(all.job_);
    all.done_ = std::move(wishes);
    all.tell();
}

void reservation_files::writing::left_alone() noexcept { delete this; }

}  // namespace fulmar::app
