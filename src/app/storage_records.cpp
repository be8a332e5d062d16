#include "storage_records.hpp"

#include <fulmar/base/limits.hpp>
#include <fulmar/base/log.hpp>

#include <nlohmann/json.hpp>

#include <exception>
#include <utility>

namespace fulmar::app {

using nlohmann::json;

storage_records::storage_records(engine::reactor& control, admin::disk& files, std::string path)
    : control_(control), files_(files), path_(std::move(path)) {
    const result<std::string> text = files_.read(path_);
    if (!text) {
        if (text.error().code != errc::not_found)
            log::warn("what is remembered of the devices cannot be read: {}", text.error().text());
        return;
    }
    if (read(*text)) return;
    known_.clear();
    log::warn(
        "{} is damaged: what was remembered of the devices is unknown now; kept as {}.damaged",
        path_, path_);
    static_cast<void>(files_.rename(path_, path_ + ".damaged"));
}

storage_records::~storage_records() {
    if (changed_ && job_ == nullptr) write();
    if (job_ == nullptr) return;
    if (changed_)  // since the job under way began
        log::warn("{}: the last change was not written; it is found out again", path_);
    job_.release()->abandon();  // deletes itself
}

bool storage_records::read(std::string_view text) {
    const json all = json::parse(text, nullptr, false);
    if (!all.is_object() || !all.contains("devices") || !all["devices"].is_array()) return false;
    try {
        for (const json& one : all["devices"]) {
            backend::storage_record what{.path = one.at("path").get<std::string>(),
                                         .size_bytes = one.at("size").get<std::uint64_t>(),
                                         .facts = {}};
            for (const auto& [name, value] : one.at("facts").items())
                what.facts[name] = value.get<std::string>();
            known_[one.at("name").get<std::string>()] = std::move(what);
        }
    } catch (const json::exception&) {
        return false;
    }
    return true;
}

std::string storage_records::render() const {
    json devices = json::array();
    for (const auto& [name, what] : known_)
        devices.push_back({{"name", name},
                           {"path", what.path},
                           {"size", what.size_bytes},
                           {"facts", what.facts}});
    const json all{{"devices", std::move(devices)}};
    return all.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

std::optional<backend::storage_record> storage_records::recall(const std::string& device,
                                                               const std::string& path) const {
    const auto at = known_.find(device);
    if (at == known_.end() || at->second.path != path) return {};
    return at->second;
}

// Devices that are gone are remembered too: they may come back with their configuration.
void storage_records::remember(const std::string& device, const backend::storage_record& what) {
    const auto at = known_.find(device);
    if (at != known_.end() && at->second == what) return;
    if (at == known_.end() && known_.size() >= 2 * limits::max_devices)
        known_.erase(known_.begin());
    known_[device] = what;
    changed_ = true;
    if (job_ == nullptr) write();
}

void storage_records::write() {
    auto fresh = std::make_unique<writing>();
    fresh->owner = this;
    fresh->files = &files_;
    fresh->path = path_;
    fresh->text = render();
    if (!fresh->start(control_)) return;  // with the next change
    job_ = std::move(fresh);
    changed_ = false;
}

void storage_records::writing::work() noexcept {
    try {
        outcome = files->replace(path, text);
    } catch (const std::exception& failure) {
        outcome = fail(errc::no_memory, failure.what());
    }
}

void storage_records::writing::on_done() noexcept {
    storage_records& records = *owner;
    if (!outcome && !std::exchange(records.told_, true))
        log::warn("what is known of the devices cannot be remembered: {}", outcome.error().text());
    if (outcome) records.told_ = false;
    const std::unique_ptr<writing> self = std::move(records.job_);
    if (records.changed_) records.write();
}

void storage_records::writing::on_abandoned() noexcept { delete this; }

}  // namespace fulmar::app
