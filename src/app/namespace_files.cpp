#include "namespace_files.hpp"

#include <fulmar/admin/config.hpp>
#include <fulmar/base/log.hpp>
#include <fulmar/base/mutation.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <exception>
#include <utility>

namespace fulmar::app {

using core::kept_namespace;
using core::reservation_record;
using nlohmann::json;
using nvme::write_protection;

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

write_protection read_protection(const std::string& text) {
    for (const auto one : {write_protection::none, write_protection::write_protect,
                           write_protection::until_power_cycle})
        if (text == to_string(one)) return one;
    throw std::invalid_argument("there is no write protection of that name");
}

/// May throw.
reservation_record read_reservation(const json& all) {
    reservation_record out;
    out.generation = all.at("generation").get<std::uint32_t>();
    out.persistent = all.at("persistent").get<bool>();
    out.type = all.at("type").get<std::uint8_t>();
    out.holder = all.at("holder").get<std::string>();
    for (const json& one : all.at("registrants"))
        out.registrants.push_back({.host = one.at("host").get<std::string>(),
                                   .key = read_key(one.at("key").get<std::string>())});
    return out;
}

struct kept {
    std::string boot_id;
    kept_namespace what;
};

/// May throw. Records of before there was write protection say nothing of it; others say what it
/// is, and nothing of reservations where no host has registered.
kept parse(const std::string& text) {
    const json all = json::parse(text);
    kept k{.boot_id = all.at("boot").get<std::string>(), .what = {}};
    const auto protection = all.find("protection");
    if (protection != all.end())
        k.what.protection = read_protection(protection->get<std::string>());
    if (protection == all.end() || all.contains("registrants"))
        k.what.reservation = read_reservation(all);
    return k;
}

bool same_start(const std::string& recorded, const std::string& now) {
    if (mutated(mutation::restarts_end_what_power_ends)) return false;
    return recorded == now || mutated(mutation::power_ends_nothing);
}

/// What is left of it when the machine has been started anew.
kept_namespace after_power_cycle(kept_namespace what) {
    if (what.protection == write_protection::until_power_cycle)
        what.protection = write_protection::none;
    if (what.reservation && !what.reservation->persistent) what.reservation.reset();
    return what;
}

}  // namespace

namespace_files::namespace_files(engine::reactor& control, admin::disk& files, std::string prefix,
                                 std::string boot_id)
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

namespace_files::~namespace_files() {
    ending_ = true;
    if (job_ == nullptr) write_next();
    if (job_ != nullptr) job_.release()->abandon();  // deletes itself
}

// A name that is none of ours (a file that was being written when the power went) is nobody's.
void namespace_files::read(const std::string& name, const std::string& path) {
    const auto of = nvme::parse_uuid(name);
    if (!of) return;
    const result<std::string> text = files_.read(path);
    error why;
    if (!text) {
        why = text.error();
    } else {
        try {
            kept k = parse(*text);
            if (same_start(k.boot_id, boot_id_)) {
                known_[*of] = std::move(k.what);
                return;
            }
            const kept_namespace left = after_power_cycle(k.what);
            if (left != k.what)
                log::info(
                    "{}: the machine has been started anew, and what was to end with that "
                    "has ended",
                    path);
            if (left != kept_namespace{})
                known_[*of] = left;
            else
                add({.of = *of, .path = path, .text = {}});
            return;
        } catch (const std::exception& failure) {
            why = {errc::invalid_argument, failure.what(), path};
        }
    }
    damaged_[*of] = why;
}

std::string namespace_files::path_of(const nvme::uuid& of) const {
    return prefix_ + std::string(nvme::to_text(of).view());
}

std::string namespace_files::render(const nvme::uuid& of, const kept_namespace& what) const {
    json all{{"namespace", std::string(nvme::to_text(of).view())},
             {"boot", boot_id_},
             {"protection", std::string(to_string(what.protection))}};
    if (const auto& reserved = what.reservation) {
        json registrants = json::array();
        for (const reservation_record::entry& one : reserved->registrants)
            registrants.push_back({{"host", one.host}, {"key", key_text(one.key)}});
        all["generation"] = reserved->generation;
        all["persistent"] = reserved->persistent;
        all["type"] = reserved->type;
        all["holder"] = reserved->holder;
        all["registrants"] = std::move(registrants);
    }
    return all.dump(1) + "\n";
}

result<std::optional<kept_namespace>> namespace_files::recall(const nvme::uuid& of) const {
    if (const auto bad = damaged_.find(of); bad != damaged_.end())
        return fail(errc::io_error,
                    fmt::format("{} cannot be understood: {}", path_of(of), bad->second.text()), {},
                    "restore the file, or remove it, and start again");
    if (const auto at = known_.find(of); at != known_.end()) return std::optional(at->second);
    if (unlisted_) return tl::unexpected(*unlisted_);
    return std::optional<kept_namespace>();
}

void namespace_files::record(const nvme::uuid& of, const kept_namespace& what, waiter* w) {
    known_[of] = what;  // the order of calls is that on disk
    add({.of = of, .path = path_of(of), .text = render(of, what), .told = w});
    damaged_.erase(of);
    if (job_ == nullptr) write_next();
}

void namespace_files::forget(const nvme::uuid& of) noexcept try {
    known_.erase(of);
    damaged_.erase(of);
    add({.of = of, .path = path_of(of), .text = {}});
    if (job_ == nullptr) write_next();
} catch (const std::bad_alloc&) {
    log::warn("a namespace was removed, and its record stays in the state directory");
}

// Of each file only the newest wish counts, unless somebody waits for another.
void namespace_files::add(wish what) {
    std::erase_if(wanted_, [&](const wish& w) { return w.of == what.of && w.told == nullptr; });
    wanted_.push_back(std::move(what));
}

void namespace_files::withdraw(waiter& w) noexcept {
    const auto leave = [&w](std::vector<wish>& all) {
        for (wish& one : all)
            if (one.told == &w) one.told = nullptr;
    };
    leave(wanted_);
    leave(done_);
    if (job_ != nullptr) leave(job_->wishes);
}

void namespace_files::write_next() noexcept {
    if (wanted_.empty() || !done_.empty()) return;
    result<void> started = fail(errc::no_memory, "no memory to write the record of a namespace");
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
void namespace_files::tell() noexcept {
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

void namespace_files::writing::work() noexcept {
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

void namespace_files::writing::on_done() noexcept {
    namespace_files& all = *owner;
    const std::unique_ptr<writing> self = std::move(all.job_);
    all.done_ = std::move(wishes);
    all.tell();
}

void namespace_files::writing::on_abandoned() noexcept { delete this; }

}  // namespace fulmar::app
